/** Ours, as a library: a subscription drains the backlog of a slot. */
import { createRowcast } from '../../src/rowcast.ts'
import { PUBLICATION } from '../database.ts'
import { ORDERS_CATALOG, readAllFields } from '../orders.ts'
import { type DrainRequest, measureDrain } from './drain.ts'

async function drain({ url, slot, changes, mode }: DrainRequest) {
  const rowcast = createRowcast({
    catalog: ORDERS_CATALOG,
    connectionString: url,
    slot,
    publication: PUBLICATION,
  })
  rowcast.register('Order')
  const subscription = mode === 'idle' ? null : rowcast.subscribe('Order', { after: 'earliest' })
  const answer = await measureDrain(async () => {
    rowcast.start()
    if (subscription === null) return rowcast.ready()
    let rest = changes
    let values = 0
    for await (const change of subscription) {
      if (mode === 'read') values += readAllFields(change.new) + readAllFields(change.old)
      rest -= 1
      if (rest === 0) break
    }
    if (mode === 'read' && values < changes) throw new Error(`${values} values in ${changes} changes`)
  })
  await rowcast.stop()
  return answer
}

export const commands = { drain }
