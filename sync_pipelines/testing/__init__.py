"""What adopters test with: a system in memory."""
