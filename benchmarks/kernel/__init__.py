"""What a render costs, part by part and against others."""
