/** Stage 7, graphql. What is said of a subgraph, in types that need no graphql. */

/** What rows are to a gateway: found here by their key, whole; or keys alone, which it takes to the subgraph that has the rows. */
export type SubgraphEntities = 'rows' | 'keys'

/** A subgraph beside another one of rowcast. */
export interface SubgraphOptions {
  /** @default 'rows' */
  readonly entities?: SubgraphEntities | undefined
  /** What `Query.changeCursor` is called: a cursor means something to the database that it is of, so each subgraph has its own. By another name than the default there is no `changes` either. @default 'changeCursor' */
  readonly changeCursor?: string | undefined
}

/** A subgraph, as the config has it. */
export type Subgraph = SubgraphEntities | SubgraphOptions

/** The same, with what is by default. */
export interface ServedSubgraph {
  readonly entities: SubgraphEntities
  readonly changeCursor: string
}
