-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "auth";
-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "shop";
-- CreateEnum
CREATE TYPE "auth"."level" AS ENUM ('low', 'very high');
-- CreateEnum
CREATE TYPE "shop"."level" AS ENUM ('low');
-- CreateTable
CREATE TABLE "auth"."items" (
    "id" BIGSERIAL NOT NULL,
    "level" "auth"."level" NOT NULL DEFAULT 'low',
    "levels" "auth"."level"[],
    CONSTRAINT "items_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "shop"."items" (
    "id" SERIAL NOT NULL,
    "account" BIGINT NOT NULL,
    "level" "shop"."level" NOT NULL,
    CONSTRAINT "items_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "shop"."Tag" (
    "name" TEXT NOT NULL,
    CONSTRAINT "Tag_pkey" PRIMARY KEY ("name")
);
-- CreateTable
CREATE TABLE "auth"."_AccountToTag" (
    "A" BIGINT NOT NULL,
    "B" TEXT NOT NULL,
    CONSTRAINT "_AccountToTag_AB_pkey" PRIMARY KEY ("A","B")
);
-- CreateIndex
CREATE INDEX "_AccountToTag_B_index" ON "auth"."_AccountToTag"("B");
-- AddForeignKey
ALTER TABLE "shop"."items" ADD CONSTRAINT "items_account_fkey" FOREIGN KEY ("account") REFERENCES "auth"."items"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "auth"."_AccountToTag" ADD CONSTRAINT "_AccountToTag_A_fkey" FOREIGN KEY ("A") REFERENCES "auth"."items"("id") ON DELETE CASCADE ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "auth"."_AccountToTag" ADD CONSTRAINT "_AccountToTag_B_fkey" FOREIGN KEY ("B") REFERENCES "shop"."Tag"("name") ON DELETE CASCADE ON UPDATE CASCADE;
