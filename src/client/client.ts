/** Beside the spine, client. What `rowcast/client` exports: for browsers and other clients, nothing of the server. */
export {
  applyChange,
  type ChangeOrigin,
  type ListChange,
  type ListShape,
  type RowPart,
} from './apply-change.ts'
export { type ChangeClient, queryChangeCursor } from './change-client.ts'
export type { ChangeDocument } from './document-text.ts'
export {
  type FollowedChanges,
  type FollowedChangesData,
  type FollowedChangesOptions,
  type FollowedChangesState,
  followChanges,
} from './followed-changes.ts'
export {
  type FollowedList,
  type FollowedListData,
  type FollowedListOptions,
  type FollowedListState,
  followList,
} from './followed-list.ts'
export { createLiveList } from './live-list.ts'
export type {
  LiveList,
  LiveListData,
  LiveListOptions,
  LiveListState,
  LiveListStatus,
} from './live-list-api.ts'
export {
  MutationError,
  type MutationFailure,
  type Settled,
  type SettledOptions,
  type TransactionId,
} from './own-mutations.ts'
export type { PatchOperation } from './patch-list.ts'
export {
  type ChangeFailure,
  type ResumableOptions,
  type ResumableRequest,
  subscribeResumable,
} from './resumable-subscription.ts'
export { type ConnectionParams, resumingConnectionParams } from './resuming-connection-params.ts'
export { createSseClient, type SseClient, type SseClientOptions } from './sse-client.ts'
export { SubscriptionError } from './subscription-error.ts'
export { retryWait } from './wait.ts'
