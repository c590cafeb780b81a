-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";
-- CreateEnum
CREATE TYPE "Transition" AS ENUM ('true', 'false', 'null', 'äpfel');
-- CreateEnum
CREATE TYPE "JSON" AS ENUM ('1 one', 'two');
-- CreateEnum
CREATE TYPE "StringList" AS ENUM ('A');
-- CreateTable
CREATE TABLE "Query" (
    "id" SERIAL NOT NULL,
    "state" "Transition" NOT NULL,
    "states" "Transition"[],
    "kind" "JSON" NOT NULL DEFAULT 'two',
    "lists" "StringList"[],
    "row id" INTEGER NOT NULL,
    CONSTRAINT "Query_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "Subscription" (
    "id" SERIAL NOT NULL,
    "größe" INTEGER NOT NULL,
    "breite_äöü" TEXT NOT NULL,
    "AND" TEXT NOT NULL,
    "select" TEXT NOT NULL,
    CONSTRAINT "Subscription_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "UserInserted" (
    "id" SERIAL NOT NULL,
    "größeId" INTEGER,
    CONSTRAINT "UserInserted_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "User" (
    "id" SERIAL NOT NULL,
    "true" BOOLEAN NOT NULL,
    "null" TEXT NOT NULL,
    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "UserKey" (
    "id" SERIAL NOT NULL,
    CONSTRAINT "UserKey_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "größen-tabelle" (
    "schlüssel" SERIAL NOT NULL,
    "maß" DECIMAL(65,30) NOT NULL,
    CONSTRAINT "größen-tabelle_pkey" PRIMARY KEY ("schlüssel")
);
-- CreateTable
CREATE TABLE "News" (
    "id" SERIAL NOT NULL,
    CONSTRAINT "News_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "ChangeCursor" (
    "id" SERIAL NOT NULL,
    CONSTRAINT "ChangeCursor_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "RowcastStatus" (
    "id" SERIAL NOT NULL,
    "cursor" TEXT NOT NULL,
    CONSTRAINT "RowcastStatus_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "Data" (
    "id" SERIAL NOT NULL,
    CONSTRAINT "Data_pkey" PRIMARY KEY ("id")
);
-- AddForeignKey
ALTER TABLE "UserInserted" ADD CONSTRAINT "UserInserted_größeId_fkey" FOREIGN KEY ("größeId") REFERENCES "größen-tabelle"("schlüssel") ON DELETE SET NULL ON UPDATE CASCADE;
