/**
 * Stage 6, bus. Why a filter lets a change through or not. It asks the same judge as deliveries do, part by part, so
 * that what it says cannot differ from what happened.
 */
import type { AnyChange, AnyRow, ChangeAction } from '../../changes/change.ts'
import type { ExplanationStep } from '../explanation.ts'
import {
  type ChangeConditions,
  type ChangeFilter,
  type ChangeFilterInput,
  createChangeFilter,
} from './change-filter.ts'
import { compileCondition } from './compile-condition.ts'
import type { Condition } from './condition.ts'
import { type FilterReading, failingPath } from './failing-path.ts'
import { type Judgement, judgeChange, missingValues, newImage, oldImage } from './judge-change.ts'
import { TRUE } from './outcome.ts'
import type { KeySource } from './related-keys.ts'

/** What a subscription asks for, parsed and as it was written. */
export interface ExplainedRequest extends FilterReading {
  readonly actions: readonly ChangeAction[] | null | undefined
  readonly filter: ChangeFilter | null
  readonly input: ChangeFilterInput
  /** Whether it may be said what a policy asks of other rows. @default false */
  readonly namesPolicies?: boolean | undefined
  /** Models that whoever asks has named and may subscribe to; of others no change is named. @default none but with `namesPolicies` */
  readonly namedModels?: ReadonlySet<string> | undefined
}

/** What other rows said of the rows of a change. */
export interface RelatedKeys {
  /** The keys by which the row before it is judged. */
  readonly before: KeySource
  readonly after: KeySource
  /** Sentences on each key of a row that a condition asks for: which set, whether it is in, and since which change. */
  describe(condition: Condition, row: AnyRow, image: 'before' | 'after'): readonly string[]
}

/**
 * The steps `allowed` and `matched`; the second one only where the first is passed.
 * @param keys what the filter asks of other rows. @default it asks nothing of them
 */
export function explainChange(
  request: ExplainedRequest,
  change: AnyChange,
  keys: RelatedKeys | null = null,
): readonly ExplanationStep[] {
  const explained = { ...request, keys }
  const denied = explainPolicy(explained, change)
  const allowed: ExplanationStep = {
    stage: 'allowed',
    isPassed: denied === null,
    text: denied ?? allowedText(explained, change),
  }
  if (denied !== null) return [allowed]
  return [allowed, explainMatch(explained, change)]
}

/** The request, and what other rows said. */
interface Explained extends ExplainedRequest {
  readonly keys: RelatedKeys | null
}

function allowedText(explained: Explained, change: AnyChange): string {
  return [
    `Nothing hides it: you may see this change of ${change.model}.`,
    ...policyKeys(explained, change),
  ].join(' ')
}

/** What keeps it from the viewer. Conditions of a policy are not the viewer's to know. */
function explainPolicy(explained: Explained, change: AnyChange): string | null {
  const { filter, model, keys } = explained
  if (filter === null) return null
  const { rows, visible } = filter
  const verdict = judgeParts(filter, change, {}, keys)
  if (verdict === 'unknown')
    return `Whether \`rows\` of ${model.name} let you see the row before cannot be said without it: FILTER_UNANSWERABLE.`
  if (verdict === 'miss')
    return [`A policy hides it: \`rows\` of ${model.name}.`, ...policyKeys(explained, change)].join(' ')
  if (rows === null && visible === null) return null
  return judgeParts(filter, change, { visible }, keys) === 'miss'
    ? `It changed nothing of ${model.name} that you may see.`
    : null
}

function policyKeys({ filter, keys, namesPolicies }: Explained, change: AnyChange): readonly string[] {
  const rows = filter?.rows ?? null
  if (rows === null || keys === null || namesPolicies !== true) return []
  return sentImages('rows', change).flatMap(({ name, row }) => keys.describe(rows, row, name))
}

function explainMatch(request: Explained, change: AnyChange): ExplanationStep {
  const { actions, filter, keys } = request
  const step = (isPassed: boolean, text: string): ExplanationStep => ({ stage: 'matched', isPassed, text })
  if (actions && actions.length > 0 && !actions.includes(change.action)) {
    return step(false, `\`action\` does not name ${change.action}, which it is.`)
  }
  if (filter === null) return step(true, 'The subscription asks for every change of the model.')
  const parts = PARTS.filter((part) => filter[part] !== null)
  const verdicts = parts.map((part) => {
    return { part, verdict: judgeParts(filter, change, { [part]: filter[part] }, keys) }
  })
  const missed = verdicts.find(({ verdict }) => verdict === 'miss')
  if (missed !== undefined) {
    const { part } = missed
    const why = [missText(request, filter, part, change), ...partKeys(request, filter, part, change)]
    return step(false, why.join(' '))
  }
  // What one part cannot answer matters only where no other one has decided.
  const open = verdicts.find(({ verdict }) => verdict === 'unknown')
  if (open !== undefined) return step(false, unknownText(filter, open.part, change))
  if (judgeParts(filter, change, { visible: filter.visible }, keys) === 'unknown') {
    return step(
      false,
      'Whether anything changed that you may see cannot be said without the old row: FILTER_UNANSWERABLE.',
    )
  }
  const because = parts.flatMap((part) => partKeys(request, filter, part, change))
  return step(true, ['It is what the subscription asks for.', ...because].join(' '))
}

/** What the part asked of other rows, of each row that the viewer sees. */
function partKeys(
  { keys }: Explained,
  filter: ChangeFilter,
  part: Part,
  change: AnyChange,
): readonly string[] {
  const condition = part === 'changed' ? null : filter[part]
  if (keys === null || condition === null) return []
  return imagesOf(filter, part, change, keys).flatMap(({ name, row }) => keys.describe(condition, row, name))
}

/** The verdict on some of the parts, as the viewer sees the change. */
function judgeParts(
  { rows }: ChangeFilter,
  change: AnyChange,
  parts: Partial<ChangeConditions>,
  keys: RelatedKeys | null,
): Judgement['verdict'] {
  const filter = createChangeFilter({ rows, ...parts }, null, keys?.after)
  if (filter === null) return 'match'
  const past = keys === null ? null : createChangeFilter({ rows, ...parts }, null, keys.before)
  return judgeChange(filter, change, past ?? filter).verdict
}

const PARTS = ['where', 'old', 'new', 'changed'] as const
type Part = (typeof PARTS)[number]

function missText(request: Explained, filter: ChangeFilter, part: Part, change: AnyChange): string {
  if (change.action === 'TRUNCATE') return `\`${part}\` asks for rows, and a TRUNCATE names none.`
  if (part === 'changed') {
    return change.action === 'DELETE'
      ? '`changed` asks for fields that differ, and of a row that is gone none does.'
      : 'None of the fields that `changed` names differs.'
  }
  const { keys } = request
  const images = imagesOf(filter, part, change, keys)
  if (images.length === 0) return `\`${part}\` asks for a row that a change of this kind does not have.`
  const [first, ...others] = images.map(
    ({ name, row }) =>
      [failingPath({ ...request, keySource: keys?.[name] }, request.input[part], part, row), name] as const,
  )
  const nor = others.map(([path, name]) => `, nor \`${path}\` of the row ${name} it`).join('')
  return `It is not what the subscription asks for: \`${first?.[0]}\` is not true of the row ${first?.[1]} it${nor}.`
}

/** The rows that the part was asked of, as far as the viewer sees them. */
function imagesOf({ rows }: ChangeFilter, part: Part, change: AnyChange, keys: RelatedKeys | null) {
  return sentImages(part, change).filter(
    ({ name, row }) => rows === null || compileCondition(rows, keys?.[name])(row) === TRUE,
  )
}

/** The rows that a part of a filter is asked of. */
function sentImages(part: Part | 'rows', change: AnyChange) {
  return [
    { name: 'after' as const, row: part === 'old' ? null : newImage(change) },
    { name: 'before' as const, row: part === 'new' ? null : oldImage(change) },
  ].flatMap(({ name, row }) => (row !== null && row !== undefined ? [{ name, row }] : []))
}

function unknownText(filter: ChangeFilter, part: Part, change: AnyChange): string {
  // Only what the subscription itself reads: a policy's fields are not the viewer's to know.
  const own = createChangeFilter({ [part]: filter[part] })
  const missing = missingValues(change, own).map(({ image, fields }) =>
    fields === null ? `the ${image} row` : fields.map((field) => `${image}.${field}`).join(', '),
  )
  return `\`${part}\` cannot be answered without ${missing.join(' and ')}, which PostgreSQL did not send: FILTER_UNANSWERABLE.`
}
