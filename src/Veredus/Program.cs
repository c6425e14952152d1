using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Veredus.CommandLine;

// Text is UTF-8 whatever the locale says; a reader that closes the pipe early (head) is no error of ours.
Console.OutputEncoding = new UTF8Encoding(false);
long? asked = null;
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    return await Cli.RunAsync(CliHost.System(), args, stop.Token);
}
catch (IOException exception) when (exception.InnerException is System.Net.Sockets.SocketException or null && exception.HResult == 32)
{
    return 0;  // EPIPE
}

// The first asks for an end in good order, a second one later does not ask. (A terminal's Ctrl-C and the TERM of a parent come together.)
void Stop(PosixSignalContext context)
{
    asked ??= Stopwatch.GetTimestamp();
    context.Cancel = Stopwatch.GetElapsedTime(asked.Value) < TimeSpan.FromSeconds(1);
    stop.Cancel();
}
