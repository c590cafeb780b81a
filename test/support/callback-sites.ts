/** Where Node.js calls a source's callbacks by itself, or nobody waits for its promises: read from the syntax tree. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parse } from '@babel/parser'
import { transformSync } from 'esbuild'

const LISTENERS: ReadonlySet<string> = new Set(
  'on once addListener prependListener prependOnceListener addEventListener'.split(' '),
)
const TIMERS: ReadonlySet<string> = new Set(
  'setTimeout setInterval setImmediate queueMicrotask nextTick'.split(' '),
)
const SETTLED: ReadonlySet<string> = new Set(['then', 'catch', 'finally'])
const SERVERS: ReadonlySet<string> = new Set(['createServer', 'createHttpServer'])
const OBSERVERS: ReadonlySet<string> = new Set([
  'FinalizationRegistry',
  'PerformanceObserver',
  'MessageChannel',
])

/** A node of the syntax tree, as far as it is looked at. */
interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly name?: string
  readonly id?: SyntaxNode
  readonly operator?: string
  readonly callee?: SyntaxNode
  readonly property?: SyntaxNode
  readonly left?: SyntaxNode
  readonly expression?: SyntaxNode
  readonly arguments?: readonly SyntaxNode[]
  readonly right?: SyntaxNode
}

/** `name` of `name` and of `#name`. */
function nameOf(node: SyntaxNode | undefined): string {
  return node?.name ?? node?.id?.name ?? ''
}

function isCall(node: SyntaxNode | undefined): boolean {
  return node?.type === 'CallExpression' || node?.type === 'OptionalCallExpression'
}

function isSite(node: SyntaxNode): boolean {
  const { type, callee, expression, arguments: given = [] } = node
  const called = nameOf(callee) || nameOf(callee?.property)
  if (isCall(node)) {
    if (LISTENERS.has(nameOf(callee?.property)) || TIMERS.has(called)) return true
    return (
      SERVERS.has(called) && given.some((each) => each.type !== 'ObjectExpression' && each.name !== 'options')
    )
  }
  if (type === 'NewExpression') return OBSERVERS.has(called)
  // A timer that is called by another name.
  if (type === 'AssignmentPattern') return TIMERS.has(nameOf(node.right))
  if (type === 'AssignmentExpression') return /^on[a-z]+$/.test(nameOf(node.left?.property))
  if (type === 'UnaryExpression') return node.operator === 'void'
  if (type !== 'ExpressionStatement' || expression === undefined || !isCall(expression)) return false
  return SETTLED.has(nameOf(expression.callee?.property)) && isOfPromise(expression)
}

/** A promise's `catch` takes one function; ours of the faults of a config takes two values. */
function isOfPromise({ callee, arguments: given = [] }: SyntaxNode): boolean {
  return nameOf(callee?.property) !== 'catch' || given.length < 2
}

/** Each of them, as it stands in the text, on one line. */
export function callbackSites(text: string): readonly string[] {
  return codeOfSites(text).map((code) => code.replace(/\s+/g, ' '))
}

function codeOfSites(text: string): readonly string[] {
  const sites: string[] = []
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    if ('type' in node && isSite(node as SyntaxNode)) {
      const { start, end } = node as SyntaxNode
      sites.push(text.slice(start, end))
    }
    for (const child of Object.values(node)) visit(child)
  }
  visit(parse(text, { sourceType: 'module', plugins: ['typescript'] }).program.body)
  return sites
}

const SRC = join(import.meta.dirname, '../../src')
/** Programs that a person starts and watches; the client kit runs in programs of others. */
const NOT_THE_SERVER = ['cli', 'embedded', 'client', 'adapters', 'generator']

/** A callback of the server's sources. */
export interface CallbackSite {
  readonly file: string
  /** On one line. */
  readonly text: string
  readonly code: string
  /** Of the whole file. */
  readonly source: string
}

/** All of them. */
export function serverSites(): readonly CallbackSite[] {
  return readdirSync(SRC, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !NOT_THE_SERVER.includes(relative(SRC, path).split('/')[0] ?? ''))
    .flatMap((path) => {
      const source = readFileSync(path, 'utf8')
      return codeOfSites(source).map((code) => {
        return { file: relative(SRC, path), text: code.replace(/\s+/g, ' '), code, source }
      })
    })
}

/** Whether the callback is the guard's, or does no more than settle a promise. */
export function isGuarded(call: string, source: string): boolean {
  if (/guard|\bcontain\(/i.test(call)) return true
  if (
    /[(,]\s*(?:resolve|reject)\s*[,)]|\(\) => resolve\(\)|\(\) => \{\}|\(\) => clear(?:Timeout|Interval)\(\w+\)/.test(
      call,
    )
  )
    return true
  const names = [...call.matchAll(/(?:#|\b)(\w+)\b/g)].map(([, name]) => name)
  return names.some((name) =>
    new RegExp(`(?:const |this\\.#)${name} =\\s*(?:(?:\\w+\\.)?#?guard\\.wrap|contain)\\(`).test(source),
  )
}

/** What goes through the guard under a name, by that name: the code that says so. */
export function definitionsOf(source: string): ReadonlyMap<string, string> {
  const definitions = new Map<string, string>()
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    const { type, id, left, init, right } = node as SyntaxNode & { readonly init?: SyntaxNode }
    const named = type === 'VariableDeclarator' ? [nameOf(id), init] : [nameOf(left?.property), right]
    const [name, value] = named as [string, SyntaxNode | undefined]
    const text = value == null ? '' : source.slice(value.start, value.end)
    if (name !== '' && /^[\w.#]*guard\s*\.wrap\(|^contain\(/.test(text))
      definitions.set(name, withoutTypes(text))
    for (const child of Object.values(node)) visit(child)
  }
  visit(parse(source, { sourceType: 'module', plugins: ['typescript'] }).program.body)
  return definitions
}

/** Code that runs outside its class. */
export function withoutTypes(text: string): string {
  const { code } = transformSync(`(${text.replaceAll('#', '')})`, { loader: 'ts', target: 'es2022' })
  return code.replace(/;\s*$/, '')
}
