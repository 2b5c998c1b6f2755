"""The family `budget`: what a team lets an image cost; silent until `imagepeel check` is told the limits."""
