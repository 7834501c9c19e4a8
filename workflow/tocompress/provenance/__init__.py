"""What made a result: digests of what a job runs, records of what it ran, and whether both still agree."""
