"""A run in the forms that CI systems read: JUnit, annotations, step summary, SARIF and Code Quality."""
