/** When a look at the catalog ends a drift, and when the stream knows better. */
import { expect, it } from 'vitest'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import type { RelationMessage } from '../../src/pgoutput/messages.ts'
import type { RunQuery } from '../../src/source/db/run-query.ts'
import { DriftWatch } from '../../src/source/watch/drift-watch.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { newTagRegistry } from '../support/broker-stream.ts'

const OID = 16_400
const columnsOf = (second: string) => [
  { name: 'id', typeOid: 23, typeModifier: -1, isKey: true },
  { name: second, typeOid: 1043, typeModifier: 64, isKey: true },
  { name: 'color', typeOid: 1042, typeModifier: 11, isKey: true },
]
const renamed: RelationMessage = {
  ...{ kind: 'relation', streamXid: null, oid: OID, schema: 'public', table: 'Tag', replicaIdentity: 'full' },
  columns: columnsOf('secret'),
}
const TABLES = [{ model: 'Tag', schema: 'public', table: 'Tag', unpublishedColumns: [] }]
/** The catalog, by which the table is as the model says. */
const fits = (async () => [
  {
    ...{ oid: OID, schema: 'public', table: 'Tag', identity: 'full', lsn: '0/64' },
    columns: columnsOf('name').map((column) => ({ ...column, baseSchema: 'pg_catalog', baseName: 'int4' })),
  },
]) as RunQuery

function createDrifted() {
  const registry = newTagRegistry()
  registry.update(renamed)
  const watch = new DriftWatch({
    registry,
    accept(bytes) {
      const message = decodeMessage(bytes, 0, bytes.length)
      if (message.kind === 'relation') registry.update(message)
    },
  })
  return { registry, watch }
}

it('a drift is over once the stream has come to where the catalog was seen to fit', async () => {
  const { registry, watch } = createDrifted()
  await watch.look(fits, TABLES)
  watch.reaches(toLsn(99n))
  expect([...registry.drifts.keys()]).toEqual(['Tag'])
  watch.reaches(toLsn(100n))
  expect([...registry.drifts.keys()]).toEqual([])
})

it('what the stream describes after the look is newer: the look ends nothing, and the next one may', async () => {
  const { registry, watch } = createDrifted()
  const looking = watch.look(fits, TABLES)
  registry.update({ ...renamed })
  await looking
  watch.reaches(toLsn(100n))
  await watch.look(fits, TABLES)
  registry.update({ ...renamed })
  watch.reaches(toLsn(100n))
  expect([[...registry.drifts.keys()], watch.isDue]).toEqual([['Tag'], true])
  await watch.look(fits, TABLES)
  watch.reaches(toLsn(100n))
  expect([...registry.drifts.keys()]).toEqual([])
})
