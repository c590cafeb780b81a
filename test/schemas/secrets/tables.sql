-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";
-- CreateTable
CREATE TABLE "Member" (
    "id" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "passwordHash" TEXT,
    "backupCodes" TEXT,
    "tokenUsage" JSONB,
    "accessTokenId" TEXT,
    "internalNote" TEXT,
    CONSTRAINT "Member_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "Password" (
    "hash" TEXT NOT NULL,
    "memberId" TEXT NOT NULL,
    CONSTRAINT "Password_pkey" PRIMARY KEY ("memberId")
);
-- CreateTable
CREATE TABLE "ApiKey" (
    "id" TEXT NOT NULL,
    "keyHash" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "token_type" TEXT,
    "memberId" TEXT NOT NULL,
    CONSTRAINT "ApiKey_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "Vault" (
    "secret" TEXT NOT NULL,
    "password" TEXT NOT NULL,
    CONSTRAINT "Vault_pkey" PRIMARY KEY ("secret")
);
-- CreateIndex
CREATE UNIQUE INDEX "Member_email_key" ON "Member"("email");
-- CreateIndex
CREATE UNIQUE INDEX "ApiKey_keyHash_key" ON "ApiKey"("keyHash");
-- AddForeignKey
ALTER TABLE "Password" ADD CONSTRAINT "Password_memberId_fkey" FOREIGN KEY ("memberId") REFERENCES "Member"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "ApiKey" ADD CONSTRAINT "ApiKey_memberId_fkey" FOREIGN KEY ("memberId") REFERENCES "Member"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
