/** No regular expression of ours takes more time than the text is long, whatever the text: others choose it. */
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expressionsOf, findExpressions, whyNotLinear } from './regular-expressions.ts'

const ROOT = join(import.meta.dirname, '..')
const FOLDERS = ['src', 'page', 'examples']

describe('regular expressions', () => {
  it('are found wherever they stand', () => {
    const text = `
      const a = /a+/g, b = x ? /b/ : [/c/][0], c = \`\${/d/.test('x')}\` // /no/
      const d = new RegExp(a), e = RegExp('x'), f = 1 / 2 / 3`
    const { literals, constructed } = expressionsOf('x.ts', text)
    expect(literals.map(({ pattern, flags }) => pattern + flags)).toEqual(['a+g', 'b', 'c', 'd'])
    expect(constructed).toEqual(['x.ts:3', 'x.ts:3'])
  })

  it.each(['Did you mean .*\\?', ' +$', '^(?:\\d+\\.?\\d*)$', '^(a+)+$', '([a-z]+)://', '^\\s*x$'])(
    '/%s/ is judged as it deserves',
    async (pattern) => {
      const why = await whyNotLinear({ pattern, flags: '' })
      if (pattern === '^\\s*x$') expect(why).toBeNull()
      else expect(why).toMatch(/polynomial|exponential/)
    },
  )

  it('are linear', { timeout: 180_000 }, async () => {
    const found = FOLDERS.map((folder) => findExpressions(join(ROOT, folder)))
    // What is made of a text at run time cannot be judged here: write it out, or a parser.
    expect(found.flatMap(({ constructed }) => constructed)).toEqual([])
    const distinct = new Map(
      found
        .flatMap(({ literals }) => literals)
        .map((literal) => [`/${literal.pattern}/${literal.flags}`, literal]),
    )
    expect(distinct.size).toBeGreaterThan(50)
    const faults: string[] = []
    for (const [text, literal] of distinct) {
      const why = await whyNotLinear(literal)
      if (why !== null) faults.push(`${relative(ROOT, literal.file)}:${literal.line} ${text}: ${why}`)
    }
    expect(faults).toEqual([])
  })
})
