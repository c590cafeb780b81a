/**
 * Stage 6, bus. Why a filter lets a change through or not. It asks the same judge as deliveries do, part by part, so
 * that what it says cannot differ from what happened.
 */
import type { AnyChange, AnyRow, ChangeAction } from '../../changes/change.ts'
import type { ExplanationStep } from '../explanation.ts'
import {
  asksRelatedRows,
  type ChangeConditions,
  type ChangeFilter,
  type ChangeFilterInput,
  createChangeFilter,
} from './change-filter.ts'
import { type FilterReading, failingPath } from './failing-path.ts'
import { type Judgement, judgeChange, missingValues, newImage, oldImage } from './judge-change.ts'
import { TRUE } from './outcome.ts'

/** What a subscription asks for, parsed and as it was written. */
export interface ExplainedRequest extends FilterReading {
  readonly actions: readonly ChangeAction[] | null | undefined
  readonly filter: ChangeFilter | null
  readonly input: ChangeFilterInput
}

/** The steps `allowed` and `matched`; the second one only where the first is passed. */
export function explainChange(request: ExplainedRequest, change: AnyChange): readonly ExplanationStep[] {
  if (asksRelatedRows(request.filter)) {
    const text =
      'Other rows decide about it, and which they were at this change is not kept: see docs/live-sets.md.'
    return [{ stage: 'allowed', isPassed: false, text }]
  }
  const denied = explainPolicy(request, change)
  const allowed: ExplanationStep = {
    stage: 'allowed',
    isPassed: denied === null,
    text: denied ?? `Nothing hides it: you may see this change of ${change.model}.`,
  }
  if (denied !== null) return [allowed]
  return [allowed, explainMatch(request, change)]
}

/** What keeps it from the viewer. Conditions of a policy are not the viewer's to know. */
function explainPolicy({ filter, model }: ExplainedRequest, change: AnyChange): string | null {
  if (filter === null) return null
  const { rows, visible } = filter
  if (judgeParts(filter, change, {}) === 'miss') return `A policy hides it: \`rows\` of ${model.name}.`
  if (rows === null && visible === null) return null
  return judgeParts(filter, change, { visible }) === 'miss'
    ? `It changed nothing of ${model.name} that you may see.`
    : null
}

function explainMatch(request: ExplainedRequest, change: AnyChange): ExplanationStep {
  const { actions, filter } = request
  const step = (isPassed: boolean, text: string): ExplanationStep => ({ stage: 'matched', isPassed, text })
  if (actions && actions.length > 0 && !actions.includes(change.action)) {
    return step(false, `\`action\` does not name ${change.action}, which it is.`)
  }
  if (filter === null) return step(true, 'The subscription asks for every change of the model.')
  const verdicts = PARTS.filter((part) => filter[part] !== null).map((part) => {
    return { part, verdict: judgeParts(filter, change, { [part]: filter[part] }) }
  })
  const missed = verdicts.find(({ verdict }) => verdict === 'miss')
  if (missed !== undefined) return step(false, missText(request, filter, missed.part, change))
  // What one part cannot answer matters only where no other one has decided.
  const open = verdicts.find(({ verdict }) => verdict === 'unknown')
  if (open !== undefined) return step(false, unknownText(filter, open.part, change))
  if (judgeParts(filter, change, { visible: filter.visible }) === 'unknown') {
    return step(
      false,
      'Whether anything changed that you may see cannot be said without the old row: FILTER_UNANSWERABLE.',
    )
  }
  return step(true, 'It is what the subscription asks for.')
}

/** The verdict on some of the parts, as the viewer sees the change. */
function judgeParts(
  { rows }: ChangeFilter,
  change: AnyChange,
  parts: Partial<ChangeConditions>,
): Judgement['verdict'] {
  const filter = createChangeFilter({ rows, ...parts })
  return filter === null ? 'match' : judgeChange(filter, change).verdict
}

const PARTS = ['where', 'old', 'new', 'changed'] as const
type Part = (typeof PARTS)[number]

function missText(request: ExplainedRequest, filter: ChangeFilter, part: Part, change: AnyChange): string {
  if (change.action === 'TRUNCATE') return `\`${part}\` asks for rows, and a TRUNCATE names none.`
  if (part === 'changed') {
    return change.action === 'DELETE'
      ? '`changed` asks for fields that differ, and of a row that is gone none does.'
      : 'None of the fields that `changed` names differs.'
  }
  const images = imagesOf(filter, part, change)
  if (images.length === 0) return `\`${part}\` asks for a row that a change of this kind does not have.`
  const [first, ...others] = images.map(
    ({ name, row }) => [failingPath(request, request.input[part], part, row), name] as const,
  )
  const nor = others.map(([path, name]) => `, nor \`${path}\` of the row ${name} it`).join('')
  return `It is not what the subscription asks for: \`${first?.[0]}\` is not true of the row ${first?.[1]} it${nor}.`
}

/** The rows that the part was asked of, as far as the viewer sees them. */
function imagesOf({ tests }: ChangeFilter, part: Part, change: AnyChange) {
  const isSeen = (row: AnyRow) => tests.rows === null || tests.rows(row) === TRUE
  return [
    { name: 'after', row: part === 'old' ? null : newImage(change) },
    { name: 'before', row: part === 'new' ? null : oldImage(change) },
  ].flatMap(({ name, row }) => (row !== null && row !== undefined && isSeen(row) ? [{ name, row }] : []))
}

function unknownText(filter: ChangeFilter, part: Part, change: AnyChange): string {
  // Only what the subscription itself reads: a policy's fields are not the viewer's to know.
  const own = createChangeFilter({ [part]: filter[part] })
  const missing = missingValues(change, own).map(({ image, fields }) =>
    fields === null ? `the ${image} row` : fields.map((field) => `${image}.${field}`).join(', '),
  )
  return `\`${part}\` cannot be answered without ${missing.join(' and ')}, which PostgreSQL did not send: FILTER_UNANSWERABLE.`
}
