/**
 * Stage 7, graphql. When images ask for related rows: those of a transaction become visible in one go, for every subscription that shows
 * them, and what all of them ask for would be one turn of the event loop.
 */
import { TurnShare } from '../../bus/turn-share.ts'
import { createGuard } from '../../guard.ts'
import { silentLogger } from '../../logger.ts'

/** What it runs settles promises, and throws nothing. */
const guard = createGuard(silentLogger)

/** All images of this process: it has one event loop. While some wait, what is asked for is gathered: see `RelationBatches`. */
export const imageTurns: Pick<TurnShare, 'wait' | 'isBusy'> = new TurnShare({ guard, isOneByOne: true })
