"""What a run tells: live or plain while it happens, and a report that stays: JSON, HTML, Markdown, JUnit."""
