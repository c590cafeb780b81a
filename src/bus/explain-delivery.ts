/** Stage 6, bus. Puts together why a subscription got the change at a cursor, or did not. */
import type { AnyChange } from '../changes/change.ts'
import { isRowcastError, RowcastError } from '../errors.ts'
import type { Explanation, ExplanationStep, LabelProgress } from './explanation.ts'
import { type ExplainedRequest, explainChange, type RelatedKeys } from './filter/explain-change.ts'

/** What is asked. */
export interface ExplainRequest extends ExplainedRequest {
  /** The change's. */
  readonly cursor: string
  /** See `SubscriptionRequest.label`; subscriptions that are open are looked at where there is one. */
  readonly label?: string | null | undefined
}

/** What other rows decided at the transaction of the cursor. */
export interface RelatedRows {
  /** What they said of the rows of a change. */
  keysOf(change: AnyChange): RelatedKeys
  /** What the transaction did to the keys that are asked for: rows that nobody wrote come of it. Null for nothing that may be named. */
  moved(): string | null
  /** Whether it may be named that rows of the model decide. */
  names(model: string): boolean
}

/** What is looked at. */
export interface ExplainSource {
  /** Null where the filter asks no other rows; an error where it is not known what they were. */
  readonly related: RelatedRows | RowcastError | null
  /** The change at a cursor, null where none of a live model is. @throws BAD_CURSOR, RESYNC_REQUIRED */
  changeAt(cursor: string): AnyChange | null
  /** Why changes of the model cannot be delivered at present; null when they can. */
  driftOf(model: string): Error | null
  progress(label: string, cursor: string): LabelProgress
}

/** Explains. @throws BAD_CURSOR */
export function explainDelivery(request: ExplainRequest, source: ExplainSource): Explanation {
  const steps: ExplanationStep[] = []
  const change = decode(request, source, steps)
  if (change !== null) steps.push(...explainKnown(request, change, source.related))
  const last = steps[steps.length - 1]
  // Of those that follow relations it is not kept how far they are.
  const label = source.related === null ? request.label : null
  if (change !== null && last?.isPassed === true && typeof label === 'string') {
    steps.push(...explainProgress(source.progress(label, request.cursor)))
  }
  const isKnown = steps.every(
    ({ stage, isPassed }) => stage === 'queued' || stage === 'sent' || isPassed !== null,
  )
  const isRefused = steps.some(
    ({ stage, isPassed }) => stage !== 'queued' && stage !== 'sent' && isPassed === false,
  )
  return { isWanted: isKnown ? !isRefused : null, reason: steps[steps.length - 1]?.text ?? '', steps }
}

function explainKnown(
  request: ExplainRequest,
  change: AnyChange,
  related: ExplainSource['related'],
): readonly ExplanationStep[] {
  if (!(related instanceof RowcastError))
    return explainChange(request, change, related?.keysOf(change) ?? null)
  const { reason = related.code } = related.details
  const text = `Other rows decide about it, and what they were then is not known here: ${String(reason)}.`
  return [{ stage: 'allowed', isPassed: null, text }]
}

/** The steps `decoded` and `published`. */
function decode(request: ExplainRequest, source: ExplainSource, steps: ExplanationStep[]): AnyChange | null {
  const { model, cursor } = request
  const add = (stage: 'decoded' | 'published', isPassed: boolean | null, text: string) =>
    void steps.push({ stage, isPassed, text })
  let change: AnyChange | null
  try {
    change = source.changeAt(cursor)
  } catch (error) {
    if (!isRowcastError(error) || error.code !== 'RESYNC_REQUIRED') throw error
    add('decoded', null, `This process does not have the change: ${String(error.details['reason'])}.`)
    return null
  }
  const related = source.related instanceof RowcastError ? null : source.related
  const moved = change === null || related?.names(change.model) === true ? (related?.moved() ?? null) : null
  if (moved !== null) {
    const at = change === null ? 'It stands behind a transaction' : `It is a change of ${change.model}`
    add('decoded', true, `${at}, which decides about rows of ${model.name}.`)
    add('published', true, `${moved} Rows of ${model.name} that it moved come as READ.`)
    return null
  }
  if (change === null) {
    const drift = source.driftOf(model.name)
    const why =
      drift === null
        ? 'it stands between two, or the change is of a model that is not live'
        : `and the changes of ${model.name} cannot be read at present`
    add('decoded', false, `No change is at this cursor: ${why}.`)
    return null
  }
  if (change.model !== model.name) {
    add('decoded', false, `The change at this cursor is not of ${model.name}.`)
    return null
  }
  add('decoded', true, `It is a change of ${model.name}.`)
  add('published', true, 'It was published to subscriptions once its transaction had committed.')
  return change
}

function explainProgress({ sent, waiting, beganLater }: LabelProgress): readonly ExplanationStep[] {
  const open = sent + waiting + beganLater
  if (open === 0) {
    const text = 'No subscription like this one is open here: it has ended, or is at another process.'
    return [{ stage: 'queued', isPassed: null, text }]
  }
  if (sent + waiting === 0) {
    const text = `${count(open)} like this one began after the change. \`after\` with an earlier cursor would bring it.`
    return [{ stage: 'queued', isPassed: false, text }]
  }
  const queued: ExplanationStep = {
    stage: 'queued',
    isPassed: true,
    text: `${count(sent + waiting)} like this one got it.`,
  }
  const text =
    waiting === 0
      ? `${count(sent)} handed it to the connection.`
      : `In ${waiting} of ${count(sent + waiting)} it still waits: the client reads more slowly than changes come.`
  return [queued, { stage: 'sent', isPassed: sent > 0, text }]
}

function count(subscriptions: number): string {
  return `${subscriptions} open ${subscriptions === 1 ? 'subscription' : 'subscriptions'}`
}
