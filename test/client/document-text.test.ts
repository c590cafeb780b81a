/** Documents as text: what graphql-js reads of it is the document. */
import { readFileSync } from 'node:fs'
import { type ASTNode, type DocumentNode, parse, visit } from 'graphql'
import { describe, expect, it } from 'vitest'
import { documentText } from '../../src/client/document-text.ts'
import { listBlocks } from '../support/doc-blocks.ts'

/** Without where it stood in its text, and how its strings were quoted. */
const bare = (document: DocumentNode): unknown =>
  JSON.parse(
    JSON.stringify(visit(document, { enter: ({ loc: _, ...node }: ASTNode) => node as ASTNode })).replaceAll(
      /,"block":(true|false)/g,
      '',
    ),
  )

const ALL = `query All($a: [Int!]! = [1, -2] @d(e: null), $o: In = { x: { y: "q\\"\\n\\u00e9 😀" }, z: [] }, $s: S = {}) @live(on: $a) {
  aliased: field(i: 1, f: -1.5e10, s: """block "quoted" \\""" text""", b: true, n: null, e: ENUM, v: $a) @skip(if: false) @x { id }
  ...Part @include(if: true)
  ... on Type @defer { id ... { other } }
}
mutation { do }
subscription Named { a }
fragment Part on Type @part { id }`

describe('a parsed document', () => {
  it.each([
    ...[['everything', ALL]],
    ...listBlocks('graphql').map(({ place, text }) => [place, text]),
    ['a file', readFileSync(new URL('../graphql/documents/tag-lists.graphql', import.meta.url), 'utf8')],
  ])('%s is the same as text', (_, text = '') => {
    const document = parse(text)
    expect(bare(parse(documentText(document)))).toEqual(bare(document))
    expect(documentText(document)).toBe(documentText(document))
  })

  it('is refused where it is a schema: what it holds is no operation', () => {
    expect(() => documentText(parse('type A { a: Int }'))).toThrow(TypeError)
  })

  it('may be text already, or what a code generator makes of text', () => {
    expect(documentText('{ a }')).toBe('{ a }')
    expect(documentText(Object.assign(new String('{ b }'), { __meta__: {} }))).toBe('{ b }')
  })
})
