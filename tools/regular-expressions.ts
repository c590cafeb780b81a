/** Every regular expression of a folder's source, and whether its time is linear in the text. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from '@babel/parser'

// The checker's own choice would be a native program or a Java one.
process.env['RECHECK_BACKEND'] = 'pure'

/** A regular expression, as it stands in a file. */
export interface FoundExpression {
  readonly file: string
  readonly line: number
  readonly pattern: string
  readonly flags: string
}

/** What a file has of them. */
export interface FoundExpressions {
  readonly literals: readonly FoundExpression[]
  /** Places that make one of a text, which no checker can read: `file:line`. */
  readonly constructed: readonly string[]
}

const SOURCE = /\.(?:tsx?|mjs)$/
const SKIPPED = new Set(['node_modules', 'dist', 'generated', 'build'])

/** Those of all files below a folder. */
export function findExpressions(folder: string): FoundExpressions {
  const found = filesBelow(folder).map((file) => expressionsOf(file, readFileSync(file, 'utf8')))
  return {
    literals: found.flatMap(({ literals }) => literals),
    constructed: found.flatMap(({ constructed }) => constructed),
  }
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(path)
    return SOURCE.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : []
  })
}

/** A node of the syntax tree, as far as it is looked at. */
interface SyntaxNode {
  readonly type: string
  readonly loc?: { readonly start: { readonly line: number } }
  readonly pattern?: string
  readonly flags?: string
  readonly callee?: { readonly name?: string }
}

/** Those of one file's text. */
export function expressionsOf(file: string, text: string): FoundExpressions {
  const literals: FoundExpression[] = []
  const constructed: string[] = []
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    const { type, pattern, flags, callee, loc } = node as SyntaxNode
    const line = loc?.start.line ?? 0
    if (type === 'RegExpLiteral' && pattern !== undefined) {
      literals.push({ file, line, pattern, flags: flags ?? '' })
    } else if ((type === 'NewExpression' || type === 'CallExpression') && callee?.name === 'RegExp') {
      constructed.push(`${file}:${line}`)
    }
    for (const child of Object.values(node)) visit(child)
  }
  const plugins = ['typescript' as const, ...(file.endsWith('x') ? ['jsx' as const] : [])]
  visit(parse(text, { sourceType: 'module', plugins }).program.body)
  return { literals, constructed }
}

/**
 * Why the time of a match may grow faster than the text; null where it is proved not to (recheck's automaton, which
 * counts the ways a text can be matched, and takes no time).
 */
export async function whyNotLinear({ pattern, flags }: Omit<FoundExpression, 'file' | 'line'>) {
  const { checkSync } = await import('recheck')
  const verdict = checkSync(pattern, flags, { checker: 'automaton', timeout: 120_000 })
  if (verdict.status === 'safe') return null
  return verdict.status === 'vulnerable' ? verdict.complexity.summary : JSON.stringify(verdict.error)
}
