/** `joinSources`: each question goes to the database of its model, and what is registered late counts. */
import { expect, it } from 'vitest'
import { createRowcast, joinSources } from '../../src/index.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

function sourceOf(model: string) {
  const spec = buildModel([buildField('id', 'Int')], { name: model, table: model })
  const catalog = { formatVersion: 1, models: { [model]: spec }, enums: {}, joinTables: [] } as const
  const feed = createRowcast({ catalog, connectionString: `postgresql://user@localhost/${model}` })
  const name = `${model.slice(0, 1).toLowerCase()}${model.slice(1)}`
  return { feed, prisma: { [name]: { owner: model }, $connect: async () => undefined } }
}

it('has the models, delegates and policies of all, also of those that are registered later', () => {
  const main = sourceOf('User')
  const billing = sourceOf('Invoice')
  const { feed, prisma } = joinSources({ main, billing })
  expect(Object.keys(feed.catalog.models)).toEqual(['User', 'Invoice'])
  expect(feed.sources).toEqual(['main', 'billing'])
  expect(Reflect.get(prisma, 'invoice')).toEqual({ owner: 'Invoice' })
  expect(feed.isRegistered('Invoice')).toBe(false)
  expect(feed.policies?.has('Invoice')).toBe(false)
  const rows = () => ({ id: 1 })
  billing.feed.register('Invoice', { rows })
  expect(feed.isRegistered('Invoice')).toBe(true)
  expect(feed.policies?.get('Invoice')).toMatchObject({ rows })
  expect(feed.policies?.has('User')).toBe(false)
})

it('refuses models of one name, names that GraphQL cannot show, and a cursor of no source', async () => {
  const [main, billing] = [sourceOf('User'), sourceOf('User')]
  expect(() => joinSources({ main, billing })).toThrow(/GRAPHQL_BAD_NAME.*main and billing.*"User".*@@map/)
  expect(() => joinSources({ 'my-main': main })).toThrow(/CONFIG_BAD_NAME.*"my-main"/)
  const { feed } = joinSources({ main, billing: sourceOf('Invoice') })
  await expect(feed.changeCursor('shop')).rejects.toThrow(/BAD_CURSOR.*main, billing/)
})

it('refuses models whose delegates in Prisma Client would have one name', () => {
  const [main, billing] = [sourceOf('User'), sourceOf('user')]
  expect(() => joinSources({ main, billing })).toThrow(/GRAPHQL_BAD_NAME/)
})

it('asks the database of the model for its lists and totals, and says where there are none', () => {
  const asked: string[] = []
  const main = sourceOf('User')
  const billing = sourceOf('Invoice')
  const note = (what: string) => (request: { readonly model: string }) => {
    asked.push(`${what} ${request.model}`)
    return [].values() as never
  }
  const { catalog, isRegistered, subscribeDeliveries, changeCursor, whenVisible, hasOldImages } = main.feed
  const without = { catalog, isRegistered, subscribeDeliveries, changeCursor, whenVisible, hasOldImages }
  const kept = { ...without, catalog: billing.feed.catalog }
  const { feed } = joinSources({
    main: { ...main, feed: without },
    billing: { ...billing, feed: { ...kept, subscribeList: note('list'), subscribeTotals: note('totals') } },
  })
  feed.subscribeList?.({ model: 'Invoice' } as never)
  feed.subscribeTotals?.({ model: 'Invoice' } as never)
  expect(asked).toEqual(['list Invoice', 'totals Invoice'])
  expect(() => feed.subscribeList?.({ model: 'User' } as never)).toThrow(/FIRST_ROWS_REFUSED.*lists of User/)
  expect(() => feed.subscribeTotals?.({ model: 'User' } as never)).toThrow(
    /FIRST_ROWS_REFUSED.*totals of User/,
  )
})
