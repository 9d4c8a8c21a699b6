"""What objects use of a namespace's ResourceQuotas: counted at admission and, afterwards, by the controller."""
