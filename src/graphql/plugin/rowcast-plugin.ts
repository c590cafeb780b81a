/**
 * Stage 7, graphql. rowcast's plugin for Pothos:
 *
 *     const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
 *       plugins: [PrismaPlugin, RowcastPlugin],
 *       prisma: { client: prisma, dmmf: getDatamodel() },
 *       rowcast: { feed: rowcast },
 *     })
 *     builder.changeSubscription('User')
 *
 * A Pothos plugin is a name that its module has put into Pothos' registry. Registration hangs on the constant
 * that users import, so a bundler that honours `sideEffects: false` keeps both or drops both.
 */
import SchemaBuilder, {
  BasePlugin,
  type BuildCache,
  type InterfaceRef as ChangeInterfaceRef,
  type PothosTypeConfig,
  type SchemaTypes,
} from '@pothos/core'
import type { GraphQLSchema } from 'graphql'
import type { ChangeEvent } from '../../sets/row-subscription.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import { anyBuilder } from '../builder/untyped-builder.ts'
import type { ChangeExposure } from '../change-exposure.ts'
import type { CanExplain, ChangeFeed } from '../change-feed.ts'
import type { ReadLimits } from '../reading/paged-client.ts'
import { takeReadLimits } from '../reading/schema-reads.ts'
import { withOldRowTypes } from '../schema/old-row-type.ts'
import { giveOwnChanges } from '../schema/own-change.ts'
import { guardSchema } from '../schema/policy-guard.ts'
import {
  type ChangeSubscriptionOptions,
  completeChangeTypes,
  defineChangeSubscription,
} from './change-subscription.ts'
import { keepScales } from './decimal-scale.ts'
import { withImageLoader } from './image-loader.ts'
import { createImageReader, limitBuilderReads } from './image-reader.ts'
import { createVisibleRows } from './visible-rows.ts'

/** The `rowcast` option of a builder. */
export interface RowcastPluginOptions extends ChangeExposure {
  /** Where changes come from: a rowcast, started or not. */
  readonly feed: ChangeFeed
  /**
   * Adds `Query.whyNot`, which explains why a subscription did not get a change, and decides who may ask.
   * @default no such field
   */
  readonly canExplain?: CanExplain | undefined
  /**
   * How much is read for the relations of a change, and for how long. @default the `limits` of the rowcast server that serves the
   * schema; 10,000 rows a list, 16 MiB and 10 s in any other
   */
  readonly reads?: ReadLimits | undefined
}

// Pothos has one door for plugins' types: interfaces of its global namespace, which merge.
declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      rowcast: PothosRowcastPlugin<Types>
    }

    export interface SchemaBuilderOptions<Types extends SchemaTypes> {
      rowcast: RowcastPluginOptions
    }

    export interface SchemaBuilder<Types extends SchemaTypes> {
      /**
       * Adds `userChanged(action: [ChangeAction!]): UserChange!` to the Subscription root, which is made if
       * there is none. Returns `UserChange`, an interface: `builder.interfaceField` adds fields to all its types.
       * @throws CATALOG_UNKNOWN_MODEL when the catalog does not have the model.
       * @throws GRAPHQL_BAD_SCHEMA when the builder has no RowcastPlugin or no feed.
       */
      changeSubscription: <Model extends keyof Types['PrismaTypes'] & string>(
        model: Model,
        options?: ChangeSubscriptionOptions<Types, Types['PrismaTypes'][Model]>,
      ) => ChangeInterfaceRef<Types, ChangeEvent>
    }
  }
}

/** What Pothos runs while it builds a schema; users need only `RowcastPlugin`. */
export class PothosRowcastPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  constructor(buildCache: BuildCache<Types>) {
    super(buildCache, 'rowcast')
  }

  override beforeBuild(): void {
    completeChangeTypes(anyBuilder(this.builder))
  }

  override afterBuild(schema: GraphQLSchema): GraphQLSchema {
    const builder = anyBuilder(this.builder)
    const { catalog } = builder.options.rowcast.feed
    keepScales(schema, catalog)
    const complete = withOldRowTypes(schema, catalog)
    giveOwnChanges(complete)
    guardSchema(complete, policiesOf(builder), createVisibleRows(builder))
    takeReadLimits(complete, (limits) => {
      limitBuilderReads(builder, limits)
      policiesOf(builder).calls.limit(limits)
    })
    return complete
  }

  override onTypeConfig(config: PothosTypeConfig): PothosTypeConfig {
    return withImageLoader(config, createImageReader(anyBuilder(this.builder)))
  }
}

function registerRowcastPlugin(): 'rowcast' {
  SchemaBuilder.registerPlugin('rowcast', PothosRowcastPlugin)
  anyBuilder(SchemaBuilder.prototype).changeSubscription = function changeSubscription(model, options) {
    return defineChangeSubscription(this, model, options)
  }
  return 'rowcast'
}

/** Goes into a builder's `plugins`, beside Pothos' Prisma plugin. */
export const RowcastPlugin = registerRowcastPlugin()
