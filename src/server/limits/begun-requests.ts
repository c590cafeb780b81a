/**
 * Stage 8, server. Requests that come in one turn of the event loop, on as many connections as there are: reading one costs as much as what it asks
 * for, and is done before anything is known of it. So they begin as long as the turn has time, and in order.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TurnShare } from '../../bus/turn-share.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** The same handler: of requests that come together, those that the turn has no time for begin in the next ones. */
export function begunInTurns(handler: Handler, turns: Pick<TurnShare, 'wait'>): Handler {
  return (request, response) => {
    const turn = turns.wait()
    return turn === null ? handler(request, response) : turn.then(() => handler(request, response))
  }
}
