/** What it costs the server to deliver a change to many WebSocket clients. */
import { type Benchmark, RunBook } from './benchmark.ts'
import { openChild } from './child.ts'
import { compareDeliveries } from './deliveries.ts'
import { openClients, serveBare, serveRowcast, serveYoga, WITH_POLICY } from './live-servers.ts'
import { ORDER_SELECTION } from './orders.ts'

/** As many documents as clients, no two alike. */
function differentDocuments(count: number): string[] {
  return Array.from(
    { length: count },
    (_, n) =>
      `subscription { orderChanged { action new { ${ORDER_SELECTION} x${n}: status } transaction { xid } } }`,
  )
}

export const fanOut: Benchmark = {
  name: 'fan-out',
  about: 'server CPU of a delivery: one change, ten changes, identical and different subscriptions',
  async run(context) {
    const book = new RunBook()
    const many = context.size(1_000, 20)
    const most = context.size(9_500, 40)
    const transactions = context.size(30, 2)
    const one = { scenario: `${many} identical`, clients: many, transactions, changes: 1 }
    const ten = {
      ...one,
      scenario: `${many} identical, 10 changes`,
      transactions: context.size(10, 1),
      changes: 10,
    }
    const authorised = { ...one, scenario: `${many} of 50 audiences` }
    const different = { ...one, scenario: `${many} different` }
    const huge = { ...one, scenario: `${most} identical`, clients: most, transactions: context.size(6, 1) }

    await using database = await context.openDatabase('fan_out')
    await using guarded = await context.openDatabase('fan_out_policy')
    await using swarm = await openChild('clients/swarm')
    {
      await using ours = await serveRowcast(database)
      await using yoga = await serveYoga()
      await openClients(swarm, ours, 'sample', 1)
      const text = await swarm.call<string>('text', { group: 'sample' })
      await swarm.call('close', { group: 'sample' })
      await using bare = await serveBare(() => text)
      await compareDeliveries({ context, book, swarm }, [ours, bare, yoga], [one, ten])
      {
        await using policed = await serveRowcast(guarded, [], 'policy')
        await compareDeliveries({ context, book, swarm }, [policed, ours], [authorised])
      }
      await compareDeliveries({ context, book, swarm }, [ours, yoga], [different], differentDocuments(many))
      // Below 10,000: a process may have 20,000 files open at most on many machines, and two servers share the swarm.
      await compareDeliveries({ context, book, swarm }, [ours, bare], [huge])
    }
    const cpu = 'CPU µs/delivery'
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio(one.scenario, cpu, 'rowcast', 'bare ws', '≤ 1.1'),
        ...book.ratio(huge.scenario, cpu, 'rowcast', 'bare ws', '≤ 1.1'),
        ...book.ratio(ten.scenario, cpu, 'rowcast', 'bare ws', '≤ 0.3'),
        ...book.ratio(one.scenario, cpu, 'Yoga + graphql-ws', 'rowcast', '≥ 6'),
        ...book.ratio(authorised.scenario, cpu, WITH_POLICY, 'rowcast', '≤ 1.2'),
        ...book.ratio(different.scenario, cpu, 'Yoga + graphql-ws', 'rowcast', '≥ 2'),
      ],
    }
  },
}
