/** Where Node.js calls a source's callbacks by itself, or nobody waits for its promises: read from the syntax tree. */
import { parse } from '@babel/parser'

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
  const sites: string[] = []
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    if ('type' in node && isSite(node as SyntaxNode)) {
      const { start, end } = node as SyntaxNode
      sites.push(text.slice(start, end).replace(/\s+/g, ' '))
    }
    for (const child of Object.values(node)) visit(child)
  }
  visit(parse(text, { sourceType: 'module', plugins: ['typescript'] }).program.body)
  return sites
}
