/** Stage 7, graphql. Names that are rowcast's or GraphQL's own: no model, and nothing of one, is called so. */

/** Names of GraphQL's types and of those that rowcast has one of, whether a schema needs it or not. */
export const RESERVED_TYPES: readonly string[] = [
  ...['Query', 'Mutation', 'Subscription', 'ID', 'String', 'Int', 'Float', 'Boolean'],
  ...['DateTime', 'Date', 'Time', 'BigInt', 'Decimal', 'JSON', 'Bytes', 'Cursor'],
  ...[
    'AnyChange',
    'ChangeAction',
    'ChangeCause',
    'ChangeMetadata',
    'ChangeSource',
    'ChangeTransaction',
    'ChangesOf',
    'CommittedChanges',
    'CommittedTransaction',
    'ListOperationKind',
    'Transition',
    'OverflowPolicy',
    'QueryMode',
    'JsonNullValueFilter',
    'SortOrder',
  ],
  ...['DeliveryStage', 'DeliveryStep', 'DeliveryExplanation'],
  ...['RowcastActivity', 'RowcastStatus', 'RowcastSlotHealth', 'RowcastModelActivity', 'RowcastSample'],
  ...['RowcastValue', 'RowcastFieldDiff', 'RowcastChange'],
]

/** Fields that rowcast has on the roots, whether a schema needs them or not. */
export const RESERVED_FIELDS: readonly string[] = [
  ...['changeCursor', 'whyNot', 'rowcastStatus', 'rowcastActivity'],
]
