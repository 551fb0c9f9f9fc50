"""What is normal: calls summed up by hour, mergeable, small."""
