CREATE EXTENSION IF NOT EXISTS citext;
-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";
-- CreateEnum
CREATE TYPE "person_role" AS ENUM ('role:admin', 'role:guest');
-- CreateTable
CREATE TABLE "people" (
    "country" CHAR(2) NOT NULL,
    "number" INTEGER NOT NULL,
    "full_name" VARCHAR(80) NOT NULL,
    "born_on" DATE,
    "balance" DECIMAL(12,2) NOT NULL DEFAULT 0,
    "place" point,
    "bits" bit(3),
    "boss_country" CHAR(2),
    "boss_number" INTEGER,
    "roles" "person_role"[] DEFAULT ARRAY['role:guest']::"person_role"[],
    CONSTRAINT "person_pk" PRIMARY KEY ("country","number")
);
-- CreateTable
CREATE TABLE "projects" (
    "project_id" UUID NOT NULL,
    "project_name" CITEXT NOT NULL,
    "data" JSONB NOT NULL DEFAULT '{}',
    "raw_bytes" BYTEA,
    CONSTRAINT "projects_pkey" PRIMARY KEY ("project_id")
);
-- CreateTable
CREATE TABLE "work" (
    "project_id" UUID NOT NULL,
    "c" CHAR(2) NOT NULL,
    "n" INTEGER NOT NULL,
    "d" DATE NOT NULL,
    "h" REAL NOT NULL,
    "s" TIME(3) NOT NULL,
    CONSTRAINT "work_pkey" PRIMARY KEY ("project_id","c","n","d")
);
-- CreateTable
CREATE TABLE "keyless table" (
    "the code" INTEGER NOT NULL,
    "small" SMALLINT
);
-- CreateTable
CREATE TABLE "Hidden" (
    "id" INTEGER NOT NULL,
    CONSTRAINT "Hidden_pkey" PRIMARY KEY ("id")
);
-- CreateTable
CREATE TABLE "labels" (
    "label_name" TEXT NOT NULL,
    CONSTRAINT "labels_pkey" PRIMARY KEY ("label_name")
);
-- CreateTable
CREATE TABLE "_parts" (
    "A" UUID NOT NULL,
    "B" UUID NOT NULL,
    CONSTRAINT "_parts_AB_pkey" PRIMARY KEY ("A","B")
);
-- CreateTable
CREATE TABLE "_LabelToProject" (
    "A" TEXT NOT NULL,
    "B" UUID NOT NULL,
    CONSTRAINT "_LabelToProject_AB_pkey" PRIMARY KEY ("A","B")
);
-- CreateIndex
CREATE UNIQUE INDEX "projects_project_name_key" ON "projects"("project_name");
-- CreateIndex
CREATE UNIQUE INDEX "keyless table_the code_key" ON "keyless table"("the code");
-- CreateIndex
CREATE INDEX "_parts_B_index" ON "_parts"("B");
-- CreateIndex
CREATE INDEX "_LabelToProject_B_index" ON "_LabelToProject"("B");
-- AddForeignKey
ALTER TABLE "people" ADD CONSTRAINT "people_boss_country_boss_number_fkey" FOREIGN KEY ("boss_country", "boss_number") REFERENCES "people"("country", "number") ON DELETE SET NULL ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "work" ADD CONSTRAINT "work_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects"("project_id") ON DELETE RESTRICT ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "work" ADD CONSTRAINT "work_c_n_fkey" FOREIGN KEY ("c", "n") REFERENCES "people"("country", "number") ON DELETE RESTRICT ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "_parts" ADD CONSTRAINT "_parts_A_fkey" FOREIGN KEY ("A") REFERENCES "projects"("project_id") ON DELETE CASCADE ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "_parts" ADD CONSTRAINT "_parts_B_fkey" FOREIGN KEY ("B") REFERENCES "projects"("project_id") ON DELETE CASCADE ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "_LabelToProject" ADD CONSTRAINT "_LabelToProject_A_fkey" FOREIGN KEY ("A") REFERENCES "labels"("label_name") ON DELETE CASCADE ON UPDATE CASCADE;
-- AddForeignKey
ALTER TABLE "_LabelToProject" ADD CONSTRAINT "_LabelToProject_B_fkey" FOREIGN KEY ("B") REFERENCES "projects"("project_id") ON DELETE CASCADE ON UPDATE CASCADE;
