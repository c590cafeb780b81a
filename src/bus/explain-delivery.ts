/** Stage 6, bus. Puts together why a subscription got the change at a cursor, or did not. */
import type { AnyChange } from '../changes/change.ts'
import { isRowcastError } from '../errors.ts'
import type { Explanation, ExplanationStep, LabelProgress } from './explanation.ts'
import { type ExplainedRequest, explainChange } from './filter/explain-change.ts'

/** What is asked. */
export interface ExplainRequest extends ExplainedRequest {
  /** The change's. */
  readonly cursor: string
  /** See `SubscriptionRequest.label`; subscriptions that are open are looked at where there is one. */
  readonly label?: string | null | undefined
}

/** What is looked at. */
export interface ExplainSource {
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
  if (change !== null) steps.push(...explainChange(request, change))
  const last = steps[steps.length - 1]
  if (change !== null && last?.isPassed === true && typeof request.label === 'string') {
    steps.push(...explainProgress(source.progress(request.label, request.cursor)))
  }
  const isKnown = steps.every(
    ({ stage, isPassed }) => stage === 'queued' || stage === 'sent' || isPassed !== null,
  )
  const isRefused = steps.some(
    ({ stage, isPassed }) => stage !== 'queued' && stage !== 'sent' && isPassed === false,
  )
  return { isWanted: isKnown ? !isRefused : null, reason: steps[steps.length - 1]?.text ?? '', steps }
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
