-- Leases on queued work, one subject at a time, and signs of life of jobs.

-- The last event, poll or work of the job: what is without one for too long is given up.
ALTER TABLE jobs ADD COLUMN last_seen BIGINT NOT NULL DEFAULT 0;
UPDATE jobs SET last_seen = updated_at;

-- 1: work of this server, which only the server reports about.
ALTER TABLE subtasks ADD COLUMN server BIGINT NOT NULL DEFAULT 0;
UPDATE subtasks SET server = 1 WHERE EXISTS (SELECT 1 FROM work_queue q WHERE q.job_id = subtasks.job_id
    AND q.job_type = subtasks.job_type AND q.subtask_id = subtasks.subtask_id);

-- What is still open, for the sweeper: few rows out of many.
CREATE INDEX jobs_open ON jobs (id) WHERE status NOT IN ('COMPLETED', 'FAILED', 'SKIPPED', 'TIMED_OUT');
CREATE INDEX tasks_open ON tasks (job_id) WHERE status NOT IN ('COMPLETED', 'FAILED', 'SKIPPED', 'TIMED_OUT');
CREATE INDEX subtasks_open ON subtasks (job_id) WHERE status NOT IN ('COMPLETED', 'FAILED', 'SKIPPED', 'TIMED_OUT');

-- Until when the work is that of `claimed_by`, in milliseconds of the database's clock.
ALTER TABLE work_queue ADD COLUMN lease_until BIGINT;
CREATE INDEX work_queue_by_job ON work_queue (job_id, subtask_id);

-- What the work concerns. Work on the same subject is done one after the other, in the order of the queue.
CREATE TABLE work_subjects (
    queue_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (subject, queue_id)
);
CREATE INDEX work_subjects_by_queue ON work_subjects (queue_id);
