"""What the verb `bound` reads (`tables`, `detectors`), finds out (`record`), prints (`report`) and draws (`figure`)."""
