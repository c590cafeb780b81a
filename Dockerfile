# The sample as a container: `docker build -t rowcast .`; docker-compose.yml runs it as a tap and two gateways.
FROM node:22-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends openssl && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
COPY prisma/unused ./prisma/unused
RUN npm install --no-audit --no-fund
COPY . .
RUN npm run build

# What an application has installed beside rowcast, and the sample needs, is development's here.
FROM build AS pruned
RUN for name in graphql @pothos/core @pothos/plugin-prisma @prisma/client @prisma/adapter-pg; do \
      npm pkg set "dependencies[$name]=$(npm pkg get "devDependencies[$name]" | tr -d '"')"; \
    done && npm pkg delete devDependencies overrides && npm prune --no-audit --no-fund

FROM node:22-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000
WORKDIR /app
COPY --from=pruned /app/package.json ./
COPY --from=pruned /app/node_modules ./node_modules
COPY --from=pruned /app/dist ./dist
USER node
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:4000/health/live').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["serve", "--config", "dist/sample/rowcast.config.js"]
