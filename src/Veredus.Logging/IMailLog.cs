namespace Veredus.Logging;

/// <summary>Where a node's parts report what happened to mail. Safe from any thread; never waits, never throws, keeps nothing it is given.</summary>
/// <remarks>A record that finds no room (the disk is full or stalls) is dropped and counted: logging never stops mail.</remarks>
public interface IMailLog
{
    void Write(in ReceptionRecord record);

    void Write(in DeliveryRecord record);

    void Write(in FailureRecord record);

    void Write(in BounceRecord record);

    void Write(in RejectRecord record);

    void Write(in ImportRecord record);

    void Write(in AuthenticationRecord record);

    void Write(in AuthorizationRecord record);

    /// <summary>Tells the operator: paniclog, the journal, and the last entries that the console shows.</summary>
    /// <param name="level">Filtered by <c>debug_flags</c> and the module's <c>debug_level</c>; the default shows error and critical.</param>
    /// <param name="subsystem">What it is about; one flag.</param>
    /// <param name="module">Who speaks, put in front of the text; empty for the core.</param>
    /// <param name="text">One sentence; line breaks are escaped.</param>
    void Panic(PanicLevel level, PanicSubsystems subsystem, string module, string text);
}
