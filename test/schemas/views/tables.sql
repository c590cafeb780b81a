-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";
-- CreateTable
CREATE TABLE "Player" (
    "id" SERIAL NOT NULL,
    "name" TEXT NOT NULL,
    "score" INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT "Player_pkey" PRIMARY KEY ("id")
);
-- What Prisma makes no statements for
CREATE MATERIALIZED VIEW "rank" AS SELECT id, score FROM "Player";
CREATE UNIQUE INDEX ON "rank" (id);
CREATE VIEW "best" AS SELECT id, name FROM "Player" ORDER BY score DESC;
CREATE VIEW "score_view" AS SELECT id, score FROM "Player";
CREATE UNLOGGED TABLE "Scratch" (id SERIAL PRIMARY KEY, text TEXT NOT NULL);
