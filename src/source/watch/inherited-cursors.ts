/** Stage 5, source. What becomes of cursors of the process before this one, once its barriers have been read. */
import { LSN_ZERO } from '../../wire/lsn.ts'
import { createMissedError } from '../published/gap-notices.ts'
import type { PublicationListener } from './publication-listener.ts'

/**
 * They wait until now. Of a model whose tables are published otherwise than that process knew, they end before anything that came
 * since is delivered; its barrier may have to wait for transactions. Whatever fails at whom this ends, no model is left out,
 * and nobody waits on.
 * @throws what the first that failed threw, once all is done
 */
export function endInheritance(suspects: readonly string[], listener: PublicationListener): void {
  const { lastChanges } = listener
  if (lastChanges === undefined) return
  const cuts = suspects.map((model) => (): void => {
    const error = createMissedError(model, 'publication-changed')
    listener.onCut(model, { position: null, cleanFrom: LSN_ZERO, error })
  })
  let failure: { readonly error: unknown } | null = null
  for (const step of [...cuts, () => lastChanges.endRecall()]) {
    try {
      step()
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure !== null) throw failure.error
}
