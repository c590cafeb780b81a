/** GraphiQL: the events of the tab's subscription as a list with times, in the place of its response. */
import { useEditorContext } from '@graphiql/react'
import {
  type CSSProperties,
  createElement,
  memo,
  useEffect,
  useLayoutEffect,
  useSyncExternalStore,
} from 'react'
import { type JsonToken, tokenizeJson } from './json-tokens.ts'
import type { ShownError, StreamEvent, StreamLog } from './stream-log.ts'
import type { Streams } from './streams.ts'

const STATES = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Connection lost, trying again',
  ended: 'Stopped',
  failed: 'Ended with an error',
} as const

/** Shows nothing in a tab without a subscription. */
export function StreamPane({ streams }: { readonly streams: Streams }) {
  const { tabs, activeTabIndex } = useEditorContext({ nonNull: true })
  const shown = tabs[activeTabIndex]?.id ?? ''
  const all = tabs.map(({ id }) => id).join()
  // Before anything else can run: GraphiQL ends what ran in the tab that was left.
  useLayoutEffect(() => streams.showTab(shown, all.split(',')), [streams, shown, all])
  const log = useSyncExternalStore(streams.listen, streams.current)
  const isLive = log?.state === 'live'
  useEffect(() => {
    document.title = `${isLive ? '● ' : ''}rowcast · GraphiQL`
  }, [isLive])
  return log === null ? null : <EventList log={log} streams={streams} />
}

function EventList({ log, streams }: { readonly log: StreamLog; readonly streams: Streams }) {
  const { state, events, held, isPaused, received } = log
  const isRunning = state !== 'ended' && state !== 'failed'
  const waiting = isRunning ? 'Waiting for the first event.' : 'No event came.'
  return (
    <section className="stream" aria-label="Events of the subscription">
      <div className="stream-bar">
        <p className="stream-state" role="status" data-state={state}>
          {STATES[state]}
        </p>
        <p className="stream-count">{countEvents(received)}</p>
        {(isRunning || isPaused) && (
          <button type="button" aria-pressed={isPaused} onClick={() => streams.pause(!isPaused)}>
            {isPaused ? `Paused${held.length > 0 ? ` (${held.length} more)` : ''}` : 'Pause'}
          </button>
        )}
        <button type="button" disabled={events.length + held.length === 0} onClick={() => streams.clear()}>
          Clear
        </button>
        {isRunning && (
          <button type="button" onClick={() => streams.stop()}>
            Stop
          </button>
        )}
      </div>
      {events.length === 0 ? (
        <p className="stream-empty">
          {received === 0 ? waiting : 'The list is empty: new events come here.'}
        </p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard
        <ol className="stream-events" tabIndex={0} aria-label="Events, newest first">
          {events.map((event) => (
            <EventItem key={event.number ?? event.at.getTime()} event={event} />
          ))}
        </ol>
      )}
    </section>
  )
}

const EventItem = memo(({ event }: { readonly event: StreamEvent }) => {
  const { number, at, text, errors, note } = event
  const kind = errors.length > 0 ? 'error' : note === null ? 'result' : 'note'
  return (
    <li data-kind={kind}>
      <p className="event-title">
        <time dateTime={at.toISOString()}>{formatMoment(at)}</time>
        {number !== null && <span>#{number}</span>}
        {note !== null && <span>{note}</span>}
      </p>
      {errors.map((error, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: errors of one result never move
        <ErrorText key={index} error={error} />
      ))}
      {text !== '' && createElement('pre', {}, ...text.split('\n').map(lineOf))}
    </li>
  )
})

/** A line that is too long goes on below its beginning. Given as children, not as a list: they need no keys. */
function lineOf(text: string) {
  const style = { '--indent': text.length - text.trimStart().length } as CSSProperties
  return createElement('span', { className: 'line', style }, ...tokenizeJson(text).map(pieceOf), '\n')
}

function pieceOf({ kind, text }: JsonToken) {
  return kind === null ? text : <span className={kind}>{text}</span>
}

function ErrorText({ error: { code, message, hint } }: { readonly error: ShownError }) {
  return (
    <div className="event-error">
      <p>
        {code !== null && <code>{code}</code>} {message}
      </p>
      {hint !== null && <p className="event-hint">{hint}</p>}
    </div>
  )
}

function countEvents(count: number): string {
  return count === 1 ? '1 event' : `${count.toLocaleString('en')} events`
}

/** The time of day, to the millisecond. */
function formatMoment(at: Date): string {
  return `${at.toLocaleTimeString('en-GB')}.${String(at.getMilliseconds()).padStart(3, '0')}`
}
