/** What is read back from a broker: parsed field by field. A document that is sealed and wrong is none, and never half of one. */
import { describe, expect, it } from 'vitest'
import { formatEpoch, parseEpoch } from '../../src/broker/epoch.ts'
import { formatMark, parseMark } from '../../src/broker/mark.ts'
import { sealDocument } from '../../src/broker/sealed-document.ts'
import { formatTableStates, parseTableStates } from '../../src/broker/table-states.ts'
import type { ModelTableState } from '../../src/source/setup/model-tables.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { EPOCH } from '../support/broker-stream.ts'

const KEY = 'key'
const TABLE: ModelTableState = {
  ...{ model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true },
  ...{ kind: 'r', persistence: 'p', unpublishedColumns: ['a'], rowSecurityExempt: ['app'] },
  ...{ published: null, standing: 'verified', isBlocked: true },
}
const PREVIOUS = { id: 'zero', end: { lsn: toLsn(7n), sequence: 1 } }
const MARK = { lsn: toLsn(9n), last: { lsn: toLsn(8n), sequence: 2 }, writer: 'tap', tables: 'digest' }

/** Values that no field has, of any kind. */
const STRANGE: readonly unknown[] = [
  ...[17.5, -1, {}, [1], 'undefined', '1e3', '-', '99999999999999999999', '99999999999999999999-1'],
]

const KINDS: readonly {
  readonly name: string
  readonly wanted: unknown
  readonly content: Readonly<Record<string, unknown>>
  /** Any text will do. */
  readonly texts: readonly string[]
  parse(content: Readonly<Record<string, unknown>>): unknown
}[] = [
  {
    name: 'an epoch',
    wanted: { ...EPOCH, previous: PREVIOUS, reason: 'slot-lost' },
    content: contentOf(formatEpoch({ ...EPOCH, previous: PREVIOUS, reason: 'slot-lost' }, KEY)),
    texts: ['id', 'systemId', 'reason'],
    parse: (content) => parseEpoch(sealDocument(content, KEY), KEY),
  },
  {
    name: 'a mark',
    wanted: MARK,
    content: contentOf(formatMark(MARK, KEY)),
    texts: ['writer', 'tables'],
    parse: (content) => parseMark(sealDocument(content, KEY), KEY),
  },
  {
    name: 'where a table stands',
    wanted: [TABLE],
    content: { ...TABLE },
    // A published form that is not known means that it is not known what is published.
    texts: ['model', 'schema', 'table', 'kind', 'persistence', 'published'],
    parse: (content) => parseTableStates(sealDocument({ tables: [content] }, 'tables')),
  },
]

function contentOf(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text.slice(text.indexOf('{'))) as Readonly<Record<string, unknown>>
}

describe.each(KINDS)('$name', ({ wanted, content, texts, parse }) => {
  it('is read back as it was', () => expect(parse(content)).toEqual(wanted))

  it('is none where a field is not what it must be', () => {
    for (const field of Object.keys(content)) {
      for (const strange of STRANGE) {
        if (texts.includes(field) && (typeof strange === 'string' || field === 'published')) continue
        if (field === 'timeline' && strange === 17) continue
        expect(parse({ ...content, [field]: strange }), `${field}: ${JSON.stringify(strange)}`).toBeNull()
      }
    }
  })
})

it('an epoch whose end of the one before cannot be read is none', () => {
  const { content, parse } = KINDS[0] as (typeof KINDS)[number]
  for (const previous of [
    { id: 'zero' },
    { end: '7-1' },
    { id: 'zero', end: 'undefined' },
    { id: 7, end: '7-1' },
  ])
    expect(parse({ ...content, previous })).toBeNull()
  expect(parse({ ...content, previous: null })).toMatchObject({ previous: null })
})

it('a tap of before says less about tables', () => {
  const { kind, persistence, isBlocked, rowSecurityExempt, ...before } = TABLE
  const text = formatTableStates([before as ModelTableState])
  expect(parseTableStates(text)).toEqual([
    { ...before, kind: null, persistence: null, isBlocked: false, rowSecurityExempt: null },
  ])
})
