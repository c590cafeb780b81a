/**
 * A loader for tests: each function of src/ first asks whether it is the one that throws. It runs on what the loader
 * before it makes of a file, so that nothing of it is in the product.
 */
import { parse } from '@babel/parser'
import { sourceFile } from './source-file.mjs'

const SRC = new URL('../../../src/', import.meta.url).href
/**
 * Programs that a person starts; the file with the guard itself, and what can fail nobody; the class of which Node.js' parser
 * asks two headers in a getter, where no guard can stand.
 */
const FOLDERS_LEFT_OUT = /^(?:cli|client|embedded|generator|config)\//
const FILES_LEFT_OUT = [
  'server/http/incoming-request.ts',
  'guard.ts',
  'logger.ts',
  'errors.ts',
  'describe-error.ts',
].map(sourceFile)

/** Node.js calls it for each file. */
export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context)
  const path = url.startsWith(SRC) ? url.slice(SRC.length).replace(/\?.*$/, '') : ''
  if (!path.endsWith('.ts') || FOLDERS_LEFT_OUT.test(path) || FILES_LEFT_OUT.includes(path)) return loaded
  return { ...loaded, source: withFaults(String(loaded.source), path) }
}

/** The same code, whose functions begin with `__fault('file#function:number')`. */
function withFaults(source, path) {
  const inserts = []
  let count = 0
  visit(parse(source, { sourceType: 'module' }).program, null)
  inserts.sort((a, b) => b.at - a.at || b.order - a.order)
  let text = source
  for (const { at, words } of inserts) text = text.slice(0, at) + words + text.slice(at)
  return text

  function visit(node, name) {
    if (isFunction(node) && doesAnything(node.body)) begin(node, name)
    for (const [key, child] of Object.entries(node)) {
      if (key === 'loc' || key === 'extra') continue
      for (const each of Array.isArray(child) ? child : [child]) {
        if (typeof each?.type === 'string') visit(each, nameOf(each, node) ?? name)
      }
    }
  }

  function begin(node, name) {
    count += 1
    const call = `__fault(${JSON.stringify(`${path}#${name ?? ''}:${count}`)})`
    const { body } = node
    if (body.type === 'BlockStatement') inserts.push({ at: body.start + 1, words: `${call};`, order: count })
    else
      inserts.push(
        { at: body.start, words: `(${call},`, order: count },
        { at: body.end, words: ')', order: -count },
      )
  }
}

const FUNCTIONS = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'ClassPrivateMethod',
  'ObjectMethod',
])
// esbuild's own, at the beginning of a file: __name and its like.
const isFunction = (node) => FUNCTIONS.has(node.type)

/** What only has a value cannot throw. */
const doesAnything = (body) =>
  body.type === 'BlockStatement'
    ? body.body.length > 0
    : !/Literal|Identifier|UnaryExpression/.test(body.type)

function nameOf(node, parent) {
  const named = node.id ?? node.key ?? (isFunction(node) ? (parent.id ?? parent.key) : undefined)
  return named?.name ?? named?.id?.name
}
