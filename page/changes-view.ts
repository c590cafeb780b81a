/** The live page: the changes as diffs, newest first. What is shown already is left alone. */
import { element, find } from './dom.ts'
import { formatTime } from './format.ts'
import { type Change, changeId } from './page-state.ts'

type FieldDiff = Change['fields'][number]

/** Fields of a new or gone row that are shown at once. */
const FIELDS_SHOWN = 6

/** Shows these changes, of the model chosen or of all. Returns those that were not there before. */
export function showChanges(changes: readonly Change[]): readonly Change[] {
  const list = find('change-list', HTMLElement)
  const model = find('model-filter', HTMLSelectElement).value
  const wanted = changes.filter((change) => model === '' || change.model === model)
  const known = new Map([...list.children].map((item) => [item.getAttribute('data-id') ?? '', item]))
  const wantedIds = new Set(wanted.map(changeId))
  for (const [id, item] of known) if (!wantedIds.has(id)) item.remove()
  const news = wanted.filter((change) => !known.has(changeId(change)))
  let before = list.firstElementChild
  for (const change of wanted) {
    const item = known.get(changeId(change)) ?? newItem(change)
    if (item === before) before = before.nextElementSibling
    else list.insertBefore(item, before)
  }
  find('no-changes', HTMLElement).hidden = wanted.length > 0
  return news
}

/** Offers each model in the filter. */
export function offerModels(names: readonly string[]): void {
  const select = find('model-filter', HTMLSelectElement)
  for (const name of names) {
    if ([...select.options].some(({ value }) => value === name)) continue
    select.append(element('option', { value: name }, name))
  }
}

function newItem(change: Change): HTMLLIElement {
  const { action, model, committedAt, transactionId } = change
  const key = change.key.map(({ name, value }) => `${name} ${value ?? 'NULL'}`).join(', ')
  return element(
    'li',
    { 'data-id': changeId(change), 'data-action': action },
    element(
      'p',
      { class: 'change-title' },
      element('span', { class: 'badge' }, action),
      ' ',
      element('strong', {}, model),
      ' ',
      element('code', {}, key),
      ' ',
      element(
        'time',
        { datetime: committedAt, title: `transaction ${transactionId}` },
        formatTime(committedAt),
      ),
    ),
    ...showFields(change),
  )
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
  return [
    rows(fields.slice(0, FIELDS_SHOWN)),
    element('details', {}, element('summary', {}, `${rest.length} more fields`), rows(rest)),
  ]
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
  return element(tag, value === null ? { class: 'null' } : {}, spoken, shown === '' ? '""' : shown)
}
