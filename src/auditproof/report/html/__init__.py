"""The pages of a report.

``report_pages`` lists them all: the ticket (report.html, two printed pages), details.html, evidence.html and the pages
with the events.
"""
