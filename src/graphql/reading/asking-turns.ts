/**
 * Stage 7, graphql. When rows are asked for of which one turn of the event loop would ask for any number: images of a transaction become visible
 * in one go, for every subscription that shows them; and an operation has as many lists as it has aliases, each with a filter to be read.
 */
import { TurnShare } from '../../bus/turn-share.ts'
import { createGuard } from '../../guard.ts'
import { silentLogger } from '../../logger.ts'

/** What it runs settles promises, and throws nothing. */
const guard = createGuard(silentLogger)

/** All images of this process: it has one event loop. While some wait, what is asked for is gathered: see `RelationBatches`. */
export const imageTurns: Pick<TurnShare, 'wait' | 'isBusy'> = new TurnShare({ guard, isOneByOne: true })

/** All lists on the root. */
export const listTurns: Pick<TurnShare, 'wait'> = new TurnShare({ guard, isOneByOne: true })
