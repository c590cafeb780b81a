/** The live page: the changes as diffs, by transaction, newest first. What is shown already is left alone. */
import { element, find } from './dom.ts'
import { countOf, formatTime } from './format.ts'
import { type Change, changeId, groupByTransaction, type Transaction } from './page-state.ts'

type FieldDiff = Change['fields'][number]

/** Fields of a new or gone row that are shown at once. */
const FIELDS_SHOWN = 6
/** Changes of a transaction that are shown at once. */
const CHANGES_SHOWN = 5

/** Shows these changes, newest first. Returns those that were not there before. */
export function showChanges(changes: readonly Change[]): readonly Change[] {
  const list = find('change-list', HTMLElement)
  const shown = new Map([...list.children].map((item) => [item.getAttribute('data-id') ?? '', item]))
  const before = new Set(idsOf(list))
  let next = list.firstElementChild
  for (const transaction of groupByTransaction(changes)) {
    const known = shown.get(transaction.id)
    const item = known && holds(known, transaction) ? known : newItem(transaction)
    shown.delete(transaction.id)
    if (item === next) next = next.nextElementSibling
    else if (known === undefined || known === item) list.insertBefore(item, next)
    else {
      // More of a transaction that was there already.
      if (known === next) next = known.nextElementSibling
      known.replaceWith(item)
    }
  }
  for (const item of shown.values()) item.remove()
  return changes.filter((change) => !before.has(changeId(change)))
}

function idsOf(node: Element): readonly string[] {
  return [...node.querySelectorAll('[data-change]')].map((each) => each.getAttribute('data-change') ?? '')
}

function holds(item: Element, { changes }: Transaction): boolean {
  return idsOf(item).join('\n') === changes.map(changeId).join('\n')
}

/** Offers each model in the filter. */
export function offerModels(names: readonly string[]): void {
  const select = find('model-filter', HTMLSelectElement)
  const known = new Set([...select.options].map(({ value }) => value))
  select.append(
    ...names.filter((name) => !known.has(name)).map((name) => element('option', { value: name }, name)),
  )
}

function newItem(transaction: Transaction): HTMLLIElement {
  const { id, xid, committedAt, changes } = transaction
  const time = element('time', { datetime: committedAt }, formatTime(committedAt))
  const [only] = changes
  if (changes.length === 1 && only !== undefined)
    return element('li', { 'data-id': id }, newChange(only, 'div', time))
  const items = changes.map((change) => newChange(change, 'li'))
  const rest = items.slice(CHANGES_SHOWN)
  return element(
    'li',
    { 'data-id': id, class: 'transaction' },
    element(
      'p',
      { class: 'transaction-title' },
      element('strong', {}, countOf(changes.length, 'change')),
      ' in one transaction ',
      element('code', { title: 'PostgreSQL’s id of the transaction' }, xid),
      ' ',
      time,
    ),
    element('ol', {}, ...items.slice(0, CHANGES_SHOWN)),
    ...(rest.length === 0 ? [] : [more(countOf(rest.length, 'more change'), element('ol', {}, ...rest))]),
  )
}

function newChange(change: Change, tag: 'div' | 'li', time?: Node): HTMLElement {
  const { action, model } = change
  const key = change.key.map(({ name, value }) => `${name} ${value ?? 'NULL'}`).join(', ')
  return element(
    tag,
    { 'data-change': changeId(change), 'data-action': action, class: 'change' },
    element(
      'p',
      { class: 'change-title' },
      element('span', { class: 'badge' }, action),
      ' ',
      element('strong', {}, model),
      ' ',
      element('code', { dir: 'auto' }, key),
      ...(time === undefined ? [] : [' ', time]),
    ),
    ...showFields(change),
  )
}

function more(summary: string, content: Node): HTMLElement {
  return element('details', {}, element('summary', {}, summary), content)
}

function showFields(change: Change): readonly Node[] {
  if (change.action === 'TRUNCATE') return []
  // What is NULL in a new or gone row is not worth a line, nor is the key once more.
  const isUpdate = change.action === 'UPDATE'
  const fields = change.fields.filter(
    ({ name, old, new: now }) => isUpdate || ((old ?? now) !== null && !isKey(change, name)),
  )
  if (fields.length === 0) return []
  const rows = (some: readonly FieldDiff[]) =>
    element('dl', { class: 'fields' }, ...some.map((field) => row(change, field)))
  if (isUpdate || fields.length <= FIELDS_SHOWN) return [rows(fields)]
  const rest = fields.slice(FIELDS_SHOWN)
  return [rows(fields.slice(0, FIELDS_SHOWN)), more(countOf(rest.length, 'more field'), rows(rest))]
}

function isKey({ key }: Change, name: string): boolean {
  return key.some((part) => part.name === name)
}

function row({ hasOld, hasNew }: Change, { name, old, new: now }: FieldDiff): HTMLElement {
  const values = [
    ...(hasOld ? [showValue('del', 'was', old)] : []),
    ...(hasNew ? [showValue('ins', 'is now', now)] : []),
  ]
  return element('div', {}, element('dt', {}, name), element('dd', {}, ...values))
}

function showValue(tag: 'del' | 'ins', words: string, value: string | null | undefined): HTMLElement {
  const shown = value ?? 'NULL'
  const spoken = element('span', { class: 'unseen' }, `${words} `)
  // Text of any direction stands by itself: it turns nothing around it.
  const text = element('bdi', {}, shown === '' ? '""' : shown)
  return element(tag, value === null ? { class: 'null' } : {}, spoken, text)
}
