/** A live list as a React hook: the list itself is rowcast's and knows nothing of React. */
import { useEffect, useState, useSyncExternalStore } from 'react'
import { createLiveList, type LiveList, type LiveListOptions, type LiveListState } from 'rowcast/client'

const NOTHING: LiveListState<never> = { rows: [], status: 'loading', isComplete: true, error: null }

/** The list while the component is mounted. Give it options that stay the same object. */
export function useLiveList<Row extends object>(options: LiveListOptions<Row>): LiveListState<Row> {
  const [list, setList] = useState<LiveList<Row> | null>(null)
  useEffect(() => {
    const started = createLiveList(options)
    setList(started)
    return () => started.stop()
  }, [options])
  return useSyncExternalStore(
    (onChange) => list?.listen(onChange) ?? (() => undefined),
    () => list?.state ?? NOTHING,
  )
}
