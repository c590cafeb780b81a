/** Stage 7, graphql. Who may ask why: of options and configs, which need nothing of the field itself. */

/** Whether the viewer with this GraphQL context may ask; `'policies'` also shows what policies ask of related rows. */
export type CanExplain = (context: object) => boolean | 'policies' | Promise<boolean | 'policies'>
