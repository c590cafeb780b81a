/** Beside the spine, client. What `rowcast/client` exports: for browsers and other clients, nothing of the server. */
export { applyChange, type ListChange, type ListShape, type RowPart } from './apply-change.ts'
export {
  createLiveList,
  type LiveList,
  type LiveListOptions,
  type LiveListState,
  type LiveListStatus,
} from './live-list.ts'
export {
  queryChangeCursor,
  type ResumableOptions,
  type ResumableRequest,
  SubscriptionError,
  subscribeResumable,
} from './resumable-subscription.ts'
