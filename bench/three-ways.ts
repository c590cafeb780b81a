/** The three ways to rowcast's pipeline beside each other: `serve`, with a schema of the team's own, and in a server of the team's own. */
import { type Benchmark, RunBook } from './benchmark.ts'
import { openChild } from './child.ts'
import { compareDeliveries } from './deliveries.ts'
import { type LiveServer, serveFromSlot, serveRowcast } from './live-servers.ts'

const SERVE = 'serve'
const OWN_SCHEMA = 'serve with own schema'
const YOGA_PLUGIN = 'Yoga plugin'
const USE_SERVER = 'useServer'
const CPU = 'CPU µs/delivery'

/** The same server, whose clients come by event streams. */
const overEventStreams = (server: LiveServer, name = server.name): LiveServer => ({
  ...server,
  name,
  isEventStream: true,
})

export const threeWays: Benchmark = {
  name: 'three-ways',
  about: 'server CPU of a delivery: serve, serve with your schema, Yoga plugin and useServer in your server',
  async run(context) {
    const book = new RunBook()
    const clients = context.size(500, 20)
    const load = { clients, transactions: context.size(30, 2), changes: 1 }
    const sockets = { ...load, scenario: `${clients} identical, WebSocket` }
    const streams = { ...load, scenario: `${clients} identical, event streams` }
    // A database each: a change of one is none of the others.
    await using first = await context.openDatabase('ways_serve')
    await using second = await context.openDatabase('ways_schema')
    await using third = await context.openDatabase('ways_own')
    await using swarm = await openChild('clients/swarm')
    const bench = { context, book, swarm }
    {
      await using serve = await serveRowcast(first)
      await using schema = await serveRowcast(second, [], 'own schema')
      await using own = await serveFromSlot(third, {
        name: USE_SERVER,
        module: 'contenders/serve-own-server',
      })
      const [made, theirs] = [
        { ...serve, name: SERVE },
        { ...schema, name: OWN_SCHEMA },
      ]
      await compareDeliveries(bench, [made, theirs, own], [sockets])
      const overStreams = [
        overEventStreams(made),
        overEventStreams(theirs),
        overEventStreams(own, YOGA_PLUGIN),
      ]
      await compareDeliveries(bench, overStreams, [streams])
    }
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio(sockets.scenario, CPU, OWN_SCHEMA, SERVE, '≤ 1.2'),
        ...book.ratio(sockets.scenario, CPU, USE_SERVER, SERVE, '≤ 1.2'),
        ...book.ratio(streams.scenario, CPU, OWN_SCHEMA, SERVE, '≤ 1.2'),
        ...book.ratio(streams.scenario, CPU, YOGA_PLUGIN, SERVE, '≤ 1.2'),
      ],
    }
  },
}
