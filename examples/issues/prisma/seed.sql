INSERT INTO "Person" (id, name, color) VALUES
  ('ada', 'Ada', '#2457d6'), ('bob', 'Bob', '#0f7a43'), ('cyd', 'Cyd', '#a3411b'), ('dee', 'Dee', '#7a3fb0')
ON CONFLICT DO NOTHING;
INSERT INTO "Workspace" (id, name) VALUES (1, 'Northwind'), (2, 'Skunkworks') ON CONFLICT DO NOTHING;
INSERT INTO "Member" ("workspaceId", "personId") VALUES (1, 'ada'), (1, 'bob'), (1, 'cyd'), (2, 'dee') ON CONFLICT DO NOTHING;
INSERT INTO "Project" (id, name, "workspaceId") VALUES (1, 'Web shop', 1), (2, 'Moon base', 2) ON CONFLICT DO NOTHING;
INSERT INTO "Issue" (id, title, status, rank, "projectId", "workspaceId", "assigneeId") VALUES
  (1, 'Search finds nothing with an umlaut', 'TODO', 1, 1, 1, 'ada'),
  (2, 'Receipts by mail', 'TODO', 2, 1, 1, 'bob'),
  (3, 'The cart forgets its coupons', 'DOING', 1, 1, 1, 'bob'),
  (4, 'Dark mode', 'DOING', 2, 1, 1, 'cyd'),
  (5, 'Pay with the phone', 'DONE', 1, 1, 1, 'ada'),
  (6, 'Airlock hums in B minor', 'TODO', 1, 2, 2, 'dee')
ON CONFLICT DO NOTHING;
INSERT INTO "Comment" (id, body, "issueId", "authorId") VALUES
  (1, 'Müller, Jürgen, Straße: all of them.', 1, 'cyd'), (2, 'The collation, I think.', 1, 'ada')
ON CONFLICT DO NOTHING;
INSERT INTO "View" ("issueId", "personId") VALUES (1, 'cyd') ON CONFLICT DO NOTHING;
-- Whoever runs it again keeps what was made since.
SELECT setval(pg_get_serial_sequence('"Issue"', 'id'), greatest(100, (SELECT max(id) FROM "Issue"))),
  setval(pg_get_serial_sequence('"Comment"', 'id'), greatest(100, (SELECT max(id) FROM "Comment"))),
  setval(pg_get_serial_sequence('"Project"', 'id'), greatest(100, (SELECT max(id) FROM "Project"))),
  setval(pg_get_serial_sequence('"Workspace"', 'id'), greatest(100, (SELECT max(id) FROM "Workspace")));
