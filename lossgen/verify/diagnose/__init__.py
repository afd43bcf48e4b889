from lossgen.verify.session import Session, Witness
def diagnose(session: Session, witness: Witness) -> list[str]:
    return []
