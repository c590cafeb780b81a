/** Ours, as a library: a subscription drains the backlog of a slot. */
import { createRowcast } from '../../src/rowcast.ts'
import { PUBLICATION } from '../database.ts'
import { ORDER, ORDERS_CATALOG, readAllFields } from '../orders.ts'
import { type DrainRequest, measureDrain } from './drain.ts'

/** The catalog with the first so many fields of the model. */
function catalogOf(fields: number): typeof ORDERS_CATALOG {
  return { ...ORDERS_CATALOG, models: { Order: { ...ORDER, fields: ORDER.fields.slice(0, fields) } } }
}

async function drain({
  url,
  slot,
  changes,
  mode,
  subscribers = 1,
  fields = ORDER.fields.length,
}: DrainRequest) {
  const rowcast = createRowcast({
    catalog: catalogOf(fields),
    connectionString: url,
    slot,
    publication: PUBLICATION,
  })
  rowcast.register('Order')
  const subscriptions = Array.from({ length: mode === 'idle' ? 0 : subscribers }, () =>
    rowcast.subscribe('Order', { after: 'earliest' }),
  )
  const take = async (subscription: (typeof subscriptions)[number]) => {
    let rest = changes
    let values = 0
    for await (const change of subscription) {
      if (mode === 'read') values += readAllFields(change.new) + readAllFields(change.old)
      rest -= 1
      if (rest === 0) break
    }
    if (mode === 'read' && values < changes) throw new Error(`${values} values in ${changes} changes`)
  }
  const answer = await measureDrain(async () => {
    rowcast.start()
    if (mode === 'idle') await rowcast.ready()
    await Promise.all(subscriptions.map(take))
  })
  await rowcast.stop()
  return answer
}

export const commands = { drain }
