/** Stage 7, GraphQL. The documents that rowcast's own programs send: a server that runs those of a manifest only runs these as well. */

/** `rowcast why` asks it; who may is `debug.canExplain`'s to decide. */
export const EXPLAIN_DOCUMENT = `query ($cursor: Cursor!, $subscription: String!, $variables: JSON) {
  whyNot(cursor: $cursor, subscription: $subscription, variables: $variables) {
    isWanted reason steps { stage isPassed text }
  }
}`

/** All of them. Those of `changeCursor` are `queryChangeCursor`'s of `rowcast/client`, which imports nothing of ours. */
export const OWN_DOCUMENTS: readonly string[] = [
  '{ changeCursor }',
  'query ($source: ChangeSource!) { changeCursor(source: $source) }',
  EXPLAIN_DOCUMENT,
]
