#!/usr/bin/env bash
# npm run test:graphql17: the unit tests that touch GraphQL, under graphql-js 17 instead of 16. Every package has to get the same copy, so they run in a
# folder of hard links in which node_modules/graphql is another one. More tests: npm run test:graphql17 -- test/server; fewer, as CI has them: -- --short
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$root/node_modules/.graphql17
rm -rf "$folder"
mkdir -p "$folder/node_modules"
trap 'rm -rf "$folder"' EXIT
cp -al "$root"/node_modules/* "$folder/node_modules/"
rm -rf "$folder/node_modules/graphql"
for part in src test prisma page examples docs package.json vitest.config.ts schema.graphql tsconfig.json; do
  cp -al "$root/$part" "$folder/$part"
done
cd "$folder"
tar -xzf "$(npm pack --silent graphql@17)"
mv package node_modules/graphql
if [ "${1:-}" = --short ]; then set -- test/graphql/plugin/no-context.test.ts test/graphql/service-schema.test.ts test/server/compile-operation.test.ts test/server/unshowable-values.test.ts; fi
if [ $# -eq 0 ]; then set -- test/graphql test/server/compile-operation.test.ts test/server/shared-delivery.test.ts test/server/unshowable-values.test.ts; fi
npx vitest run --project unit "$@"
